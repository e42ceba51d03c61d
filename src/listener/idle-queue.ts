/** A member of the queue; the links are its own, so that going in and out costs a few stores. */
export interface Queued<T> {
  idlePrevious: T | undefined
  idleNext: T | undefined
  isQueuedIdle: boolean
}

/** Connections that wait for a request, longest first. */
export class IdleQueue<T extends Queued<T>> {
  #first: T | undefined = undefined
  #last: T | undefined = undefined
  size = 0

  get longest(): T | undefined {
    return this.#first
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
