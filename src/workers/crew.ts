/**
 * The threads that serve, seen from the one that accepts: starts them, gives each connection to one of them, replaces those that
 * die, and counts.
 */
import type net from 'node:net'
import type { Settings } from '../config/settings.ts'
import { announce, EVENTS } from '../observe/events.ts'
import { whyNoPassage } from '../runtime/handle-passing.ts'
import { CrewMetrics } from './crew-metrics.ts'
import type { CrewOptions } from './crew-options.ts'
import type { Death } from './death.ts'
import { type Arrival, Member, type MemberEvents } from './member.ts'
import type { NewSettings } from './messages.ts'
import { chooseNext } from './share-out.ts'

/** From a death to the next start: at once, then a second, then twice as long each time. */
const FIRST_PAUSE_MS = 1000
const MAX_PAUSE_MS = 60_000
/** Who has lived so long has not died of its start. */
const LONG_LIFE_MS = 60_000
/** Where so many have died before one was up, there is none to be had: no threads are left, say. */
const MAX_STILLBORN = 3
/** How long a start waits for the first one; then clients wait. */
const UP_MS = 5000
/** A heartbeat is looked at so often; it beats once a second. After so many times without one, a worker is stuck. */
const LOOK_MS = 2000
const STUCK_LOOKS = 5
/** How long a stop waits for word that what is idle has been closed, before it says how many it waits for. */
const DRAINING_MS = 200
/** Past the limit, so many may wait for a worker that is up. */
const MAX_WAITING_OVER_LIMIT = 512
/** So many may wait for one worker to make room: each holds a descriptor, and it may be stuck. */
const MAX_ASKING = 512

type Leaving = 'retire' | 'drain'

export class Crew {
  readonly #options: CrewOptions
  readonly metrics: CrewMetrics
  readonly #members: Member[] = []
  readonly #leaveLedger = new Map<Member, () => void>()
  #wanted = 0
  #settings: NewSettings | undefined
  /** The generation in force, which every worker compares with its own. */
  readonly #current = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
  readonly #inForce = new Int32Array(this.#current)
  #last: Member | undefined
  /** While nobody takes connections. */
  #waiting: Arrival[] = []
  #isPlacing = false
  /** Those that wait until somebody takes connections. */
  readonly #whenUp = new Set<() => void>()
  #pauseMs = 0
  #notBefore = 0
  #starting: NodeJS.Timeout | undefined
  #looking: NodeJS.Timeout | undefined
  #stop:
    | { readonly how: Leaving; readonly ended: PromiseWithResolvers<void>; readonly draining: Set<Member> }
    | undefined
  #draining = Promise.withResolvers<void>()
  #isLeaving = false
  #whyNot: string | undefined
  #hasBeenUp = false
  /** Workers that died before any of them was up. */
  #stillborn = 0

  constructor(options: CrewOptions) {
    this.#options = options
    this.metrics = new CrewMetrics(options.collected, this.#members)
  }

  /** False where a crew has been found impossible. */
  get isAvailable(): boolean {
    return this.#whyNot === undefined
  }

  /** Connections within the limit: those of all workers, and those that wait for one. */
  get places(): number {
    let places = 0
    for (const member of this.#members) places += member.places
    for (const { isOverLimit } of this.#waiting) if (!isOverLimit) places++
    return places
  }

  get busyCount(): number {
    let busy = 0
    for (const member of this.#members) busy += member.busyCount
    return busy
  }

  /** How many serve. */
  get count(): number {
    return this.#members.filter(({ state, isDead }) => state === 'up' && !isDead).length
  }

  /** Clients without an exchange. */
  get yieldingCount(): number {
    return this.#members.reduce((sum, { yielding }) => sum + yielding, 0)
  }

  /** When this returns, no worker begins an exchange with anything older. */
  publish(settings: Settings, generation: number): void {
    this.#settings = { settings, generation }
    for (const member of this.#members) member.publish(this.#settings)
    Atomics.store(this.#inForce, 0, generation)
  }

  /** Resolves when one of them takes connections, when it is known that none will, or after UP_MS. */
  isUp(): Promise<void> {
    if (this.#wanted === 0 || this.#members.some(({ state }) => state === 'up')) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.#whenUp.delete(done)
        resolve()
      }
      const timer = setTimeout(done, UP_MS)
      this.#whenUp.add(done)
    })
  }

  #tellUp(): void {
    for (const done of [...this.#whenUp]) done()
  }

  /** How many there are to be, from now on: more start, or some leave. With 0, returns those that wait, which are the caller's. */
  resize(wanted: number): Arrival[] {
    if (this.#stop !== undefined) return []
    this.#wanted = wanted
    const whyNot = wanted > 0 ? whyNoPassage() : undefined
    if (whyNot !== undefined) this.#giveUp(whyNot)
    else this.#fill()
    if (wanted > 0) return []
    const waiting = this.#waiting
    this.#waiting = []
    return waiting
  }

  #giveUp(reason: string): void {
    if (this.#whyNot !== undefined || this.#stop !== undefined) return
    this.#whyNot = reason
    this.#tellUp()
    this.#options.onUnavailable(reason)
  }

  // ---- who is there

  /** Starts and dismisses until there are as many as there are to be. */
  #fill(): void {
    const present = this.#members.filter((member) => !member.isDead)
    for (let extra = present.length - this.#wanted; extra > 0; extra--) {
      const leaver = present.reduce((a, b) => (rank(b) < rank(a) ? b : a))
      present.splice(present.indexOf(leaver), 1)
      leaver.leave('retire')
    }
    if (present.length < this.#wanted && this.#mayStart()) {
      for (let missing = this.#wanted - present.length; missing > 0; missing--) this.#start()
    }
    this.#lookAfterThem()
  }

  #mayStart(): boolean {
    const pause = this.#notBefore - performance.now()
    if (pause <= 0) return true
    this.#starting ??= setTimeout(() => {
      this.#starting = undefined
      this.#fill()
    }, pause).unref()
    return false
  }

  #start(): void {
    const lines = this.#options.workerLines?.()
    if (lines === undefined || this.#settings === undefined) return
    let id = 1
    while (this.#members.some((member) => member.id === id)) id++
    const shared = { current: this.#current, memory: this.#options.memory }
    const member = new Member(id, { ...this.#settings, ...shared }, lines, this.#events)
    this.#members.push(member)
    this.#leaveLedger.set(
      member,
      this.#options.ledger.join((way) => member.takeLedger(way)),
    )
  }

  readonly #events: MemberEvents = {
    onUp: (member) => {
      this.#hasBeenUp = true
      if (this.#isLeaving) member.askToLeave()
      this.#tellUp()
      this.#placeWaiting()
      this.#options.onUp()
    },
    onUnavailable: (member, reason) => {
      member.terminate()
      // Where it has worked before, it may be out of descriptors just now.
      if (this.#hasBeenUp) this.#replace(member, { reason, stack: undefined })
      else this.#giveUp(reason)
    },
    onReply: (arrival) => this.#squeeze(arrival),
    onAnswered: () => this.#placeWaiting(),
    onReturned: (arrival) => this.#place(arrival),
    onLost: (error) => this.#options.onLost(error),
    onDeath: (member, death) => this.#replace(member, death),
    onDraining: (member) => this.#noteDraining(member),
    onPage: (member, memory) => this.metrics.take(member, memory),
    onRefreshed: (member, number) => this.metrics.refreshed(member, number),
    onEnded: (member) => {
      this.#members.splice(this.#members.indexOf(member), 1)
      this.metrics.ended(member)
      this.#leaveLedger.get(member)?.()
      this.#leaveLedger.delete(member)
      this.#noteDraining(member)
      if (this.#members.length === 0) this.#stop?.ended.resolve()
    },
  }

  #replace(member: Member, { reason, stack }: Death): void {
    announce(this.#options.log, EVENTS.workerDied, { worker: member.id, reason, stack })
    this.metrics.deaths++
    if (this.#stop !== undefined) return
    if (!this.#hasBeenUp && ++this.#stillborn >= MAX_STILLBORN) {
      this.#giveUp(`none of them starts: ${reason}`)
      return
    }
    const now = performance.now()
    if (now - member.startedAtMs >= LONG_LIFE_MS) this.#pauseMs = 0
    this.#notBefore = now + this.#pauseMs
    this.#pauseMs = Math.min(Math.max(FIRST_PAUSE_MS, this.#pauseMs * 2), MAX_PAUSE_MS)
    this.#fill()
  }

  // ---- connections

  accept(accepted: net.Socket, isUnix: boolean): void {
    const arrival: Arrival = { accepted, isUnix, isOverLimit: false, asks: undefined, refused: new Set() }
    if (!this.#isFull) this.#place(arrival)
    // One turn of the event loop, for what has just ended.
    else setImmediate(() => this.#squeeze(arrival))
  }

  get #isFull(): boolean {
    return this.places + this.#options.placesElsewhere() >= this.#options.maxConnections()
  }

  get #takers(): Member[] {
    return this.#members.filter(({ state, isDead, missedBeats }) => {
      return state === 'up' && !isDead && missedBeats < STUCK_LOOKS
    })
  }

  #place(arrival: Arrival): void {
    const next = this.#next()
    if (next === undefined) this.#wait(arrival)
    else next.give(arrival)
  }

  /** Those with a place are as many as the limit says. */
  #wait(arrival: Arrival): void {
    const over = arrival.isOverLimit ? this.#waiting.filter(({ isOverLimit }) => isOverLimit).length : 0
    if (this.#stop !== undefined) this.#turnAway(arrival)
    else if (over >= MAX_WAITING_OVER_LIMIT) arrival.accepted.destroy()
    else this.#waiting.push(arrival)
  }

  /** It has come before a stop, and no worker has it. */
  #turnAway(arrival: Arrival): void {
    if (this.#stop?.how === 'retire') this.#options.onStray(arrival)
    else arrival.accepted.destroy()
  }

  #placeWaiting(): void {
    // One that is lost in the very moment it is given comes back here.
    if (this.#isPlacing) return
    this.#isPlacing = true
    while (this.#waiting.length > 0) {
      const next = this.#next()
      if (next === undefined) break
      next.give(this.#waiting.shift()!)
    }
    this.#isPlacing = false
  }

  #next(): Member | undefined {
    const next = this.#stop === undefined ? chooseNext(this.#takers, this.#last) : undefined
    this.#last = next ?? this.#last
    return next
  }

  /**
   * Finds room for one more where all places are taken: workers are asked to close somebody who gives way, the one with most of
   * them first, and each until it has none. Only then is there no room. A place is given here alone, so there are never too many.
   */
  #squeeze(arrival: Arrival): void {
    if (this.#stop !== undefined) {
      this.#turnAway(arrival)
      return
    }
    if (!this.#isFull) {
      this.#place(arrival)
      return
    }
    let richest: Member | undefined
    for (const member of this.#takers) {
      if (member.places === 0 || member.backlog >= MAX_ASKING || arrival.refused.has(member)) continue
      if (richest === undefined || member.yielding > richest.yielding) richest = member
    }
    if (richest !== undefined) richest.askForRoom(arrival)
    else {
      arrival.isOverLimit = true
      this.#options.onOverLimit()
      this.#place(arrival)
    }
  }

  // ---- heartbeats

  #lookAfterThem(): void {
    if (this.#members.length === 0) {
      clearInterval(this.#looking)
      this.#looking = undefined
    } else this.#looking ??= setInterval(() => this.#look(), LOOK_MS).unref()
  }

  /** Counts looks and not time, for this process may itself have been stopped for a while. */
  #look(): void {
    for (const member of [...this.#members]) {
      if (member.state === 'new') continue
      if (member.hasTurned()) {
        member.missedBeats = 0
        continue
      }
      if (++member.missedBeats !== STUCK_LOOKS) continue
      announce(this.#options.log, EVENTS.workerStuck, { worker: member.id, seconds: (STUCK_LOOKS * LOOK_MS) / 1000 })
      member.giveUpAsking()
      // At a stop nobody waits for what cannot go on.
      if (this.#stop !== undefined) member.terminate()
    }
    this.#placeWaiting()
    this.#lookAfterThem()
  }

  // ---- the end

  /** From now on every answer says that its connection closes; who comes is taken all the same. */
  askToLeave(): void {
    this.#isLeaving = true
    for (const member of this.#members) member.askToLeave()
  }

  /**
   * Resolves when every exchange of every worker is over, and every line of theirs is in the log. `retire`: somebody else listens, and
   * idle clients have a moment for a request that is on its way.
   */
  drain(how: Leaving = 'drain'): Promise<void> {
    const ended = Promise.withResolvers<void>()
    this.#stop = { how, ended, draining: new Set(this.#members) }
    clearTimeout(this.#starting)
    for (const arrival of this.#waiting.splice(0)) this.#turnAway(arrival)
    for (const member of [...this.#members]) {
      member.holdProcess()
      if (member.missedBeats >= STUCK_LOOKS) member.terminate()
      else member.leave(how)
    }
    if (this.#members.length === 0) {
      ended.resolve()
      this.#draining.resolve()
    }
    return ended.promise.then(() => this.#lookAfterThem())
  }

  /** After `drain`: resolves when what is idle has been closed, or nearly so. */
  isDraining(): Promise<void> {
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(late.resolve, DRAINING_MS)
    return Promise.race([this.#draining.promise, late.promise]).finally(() => clearTimeout(timer))
  }

  #noteDraining(member: Member): void {
    const draining = this.#stop?.draining
    draining?.delete(member)
    if (draining?.size === 0) this.#draining.resolve()
  }

  /** Ends at once what still runs. Resolves when all records of it are in the log, or after `limitMs`. */
  async cut(limitMs: number): Promise<void> {
    if (this.#members.length === 0) return
    const ended = this.#stop?.ended.promise ?? this.drain()
    for (const member of this.#members) member.cut()
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(late.resolve, limitMs)
    await Promise.race([ended, late.promise])
    clearTimeout(timer)
    for (const member of this.#members) member.terminate()
  }
}

/** Who goes first when there are to be fewer: those that are not up yet, then those with the fewest connections. */
function rank({ state, load }: Member): number {
  return state === 'up' ? load : -1
}
