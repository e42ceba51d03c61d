import type { Queued } from '../http/queued.ts'

/** Connections that wait for a request, longest first. */
export class IdleQueue<T extends Queued> {
  #first: Queued | undefined = undefined
  #last: Queued | undefined = undefined
  size = 0

  get longest(): T | undefined {
    return this.#first as T | undefined
  }

  add(member: T): void {
    if (member.isQueuedIdle) return
    member.isQueuedIdle = true
    this.size++
    member.idlePrevious = this.#last
    member.idleNext = undefined
    if (this.#last === undefined) this.#first = member
    else this.#last.idleNext = member
    this.#last = member
  }

  remove(member: T): void {
    if (!member.isQueuedIdle) return
    member.isQueuedIdle = false
    this.size--
    if (member.idlePrevious === undefined) this.#first = member.idleNext
    else member.idlePrevious.idleNext = member.idleNext
    if (member.idleNext === undefined) this.#last = member.idlePrevious
    else member.idleNext.idlePrevious = member.idlePrevious
    member.idlePrevious = undefined
    member.idleNext = undefined
  }
}
