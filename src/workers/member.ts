/** One worker from its start to its end, seen from the thread that accepts. */
import type net from 'node:net'
import { getHeapStatistics } from 'node:v8'
import { MessageChannel, type MessagePort, type ResourceLimits, type Worker } from 'node:worker_threads'
import type { LedgerWay } from '../ledger/ledger.ts'
import { GAUGES, GAUGES_BYTES } from '../listener/gauges.ts'
import type { PageMemory } from '../metrics/series.ts'
import type { WorkerWay } from '../observe/worker-lines.ts'
import { MAX_NUMBER, openPassage, type Passage } from '../runtime/handle-passing.ts'
import { startThread } from '../runtime/threads.ts'
import { type Death, describeEnd } from './death.ts'
import { ANSWERS, type FromWorker, type NewSettings, OFFERS, type ToWorker, type WorkerStart } from './messages.ts'
import type { Candidate } from './share-out.ts'
import { createTally, Tally } from './tally.ts'

/** A connection on its way to a worker. It is kept open here until somebody has it. */
export interface Arrival {
  readonly accepted: net.Socket
  readonly isUnix: boolean
  /** It has no place: it is to be told so. */
  isOverLimit: boolean
  /** It waits for this one to make room. */
  asks: Member | undefined
  /** Workers that have none. */
  readonly refused: Set<Member>
}

export interface MemberEvents {
  onUp(member: Member): void
  onUnavailable(member: Member, reason: string): void
  /** It was asked to make room for this one, and has done what it could. */
  onReply(arrival: Arrival): void
  /** Fewer are on their way to it than before. */
  onAnswered(): void
  /** It has not got this one and never will. */
  onReturned(arrival: Arrival): void
  /** There was no descriptor for a connection, which is closed. */
  onLost(error: string): void
  /** It will take nothing more, by a bug or because it has gone by itself; once. */
  onDeath(member: Member, death: Death): void
  onDraining(member: Member): void
  /** It counts there from now on. */
  onPage(member: Member, memory: PageMemory): void
  /** It has done what `refreshMetrics` of this number asked for. */
  onRefreshed(member: Member, number: number): void
  /** Its thread has ended. */
  onEnded(member: Member): void
}

/** From the end of the way to a worker to the moment when its thread has surely said why, if that is why. */
const EXPLAIN_MS = 1000

const ENTRY = new URL('./worker.ts', import.meta.url)

/**
 * `new`: not up yet. `up`: takes connections. `leaving`: takes none any more, and lets those that it has come to their end.
 * `ended`: the thread has gone.
 */
type State = 'new' | 'up' | 'leaving' | 'ended'

/** The heap that this process has is what each of its threads may have; a small young generation, as in `bin/fluxgate`. */
function limits(): ResourceLimits {
  return {
    maxYoungGenerationSizeMb: 6,
    maxOldGenerationSizeMb: Math.ceil(getHeapStatistics().heap_size_limit / 2 ** 20),
  }
}

export class Member implements Candidate {
  /** From 1; free again when it has ended. */
  readonly id: number
  readonly startedAtMs: number = performance.now()
  state: State = 'new'
  /** It takes nothing more, by a bug, or as it has been told to. */
  isDead = false
  /** What it has died of, or that it was told to end. */
  #isExplained = false
  /** Looks at its heartbeat that found it unchanged, in a row. */
  missedBeats = 0
  readonly #events: MemberEvents
  /** What it tells of its records. */
  readonly tally: Tally
  readonly #gauges: Int32Array
  readonly #lines: WorkerWay
  readonly #passage: Passage
  readonly #settingsPort: MessagePort
  readonly #thread: Worker | undefined
  /** Places that connections of its have been given, those on their way with them. */
  #granted = 0
  readonly #unanswered = new Map<number, Arrival>()
  #nextNumber = 0
  #lastBeat = 0
  /** As soon as it has all that is on its way. */
  #isToLeave = false
  #error: unknown

  /** `given`: settings, and what all workers share. */
  constructor(
    id: number,
    given: Pick<WorkerStart, 'settings' | 'generation' | 'current' | 'memory'>,
    lines: WorkerWay,
    events: MemberEvents,
  ) {
    this.id = id
    this.#events = events
    this.#lines = lines
    const gauges = new SharedArrayBuffer(GAUGES_BYTES)
    this.#gauges = new Int32Array(gauges)
    const tally = createTally()
    this.tally = new Tally(tally)
    this.#passage = openPassage({
      onJoined: () => this.#joined(),
      onAnswer: (kind, number) => this.#answered(kind, number),
      onUnsent: (number, error) => this.#lose(number, error),
      onEnd: () => this.#passageEnded(),
      onUnavailable: (reason) => events.onUnavailable(this, reason),
    })
    const { port1, port2 } = new MessageChannel()
    this.#settingsPort = port1
    port1.unref()
    const start: WorkerStart = {
      ...given,
      worker: id,
      tally,
      gauges,
      lines: lines.shared,
      logSettings: lines.settings,
      passage: this.#passage.address,
      settingsPort: port2,
    }
    this.#thread = this.#start(start, port2)
  }

  /** A thread that the system does not give is one that has died. */
  #start(start: WorkerStart, port: MessagePort): Worker | undefined {
    let thread: Worker
    try {
      thread = startThread(ENTRY, limits(), { workerData: start, transferList: [port] })
    } catch (error) {
      this.#error = error
      setImmediate(() => this.#exited(1))
      return undefined
    }
    thread.on('message', (message: FromWorker) => this.#take(message))
    thread.on('error', (error) => {
      this.#error = error
    })
    thread.on('exit', (code) => this.#exited(code))
    return thread
  }

  #joined(): void {
    if (this.state !== 'new' || this.isDead) return
    this.state = 'up'
    this.#events.onUp(this)
  }

  // ---- what it has

  /** Connections within the limit that it has, or that are on their way to it. */
  get places(): number {
    // Both only grow, and the shared one has 32 bits.
    if (this.state !== 'ended') return (this.#granted - this.#gauges[GAUGES.released]!) | 0
    let places = 0
    for (const { isOverLimit, asks } of this.#unanswered.values()) if (!isOverLimit && asks === undefined) places++
    return places
  }

  get load(): number {
    return this.places + this.overLimit
  }

  get backlog(): number {
    return this.#unanswered.size
  }

  get overLimit(): number {
    return this.#gauges[GAUGES.overLimit]!
  }

  /** Clients that would give way to another one, or a moment ago would have: it may have got another one since. */
  get yielding(): number {
    return this.state === 'ended' ? 0 : this.#gauges[GAUGES.yielding]!
  }

  get busyCount(): number {
    return this.state === 'ended' ? 0 : this.#gauges[GAUGES.busy]!
  }

  // ---- connections

  give(arrival: Arrival): void {
    const { isUnix, isOverLimit, accepted } = arrival
    if (!isOverLimit) this.#granted++
    const kind = isOverLimit ? (isUnix ? OFFERS.unixOverLimit : OFFERS.tcpOverLimit) : isUnix ? OFFERS.unix : OFFERS.tcp
    this.#passage.send(kind, this.#expect(arrival), accepted)
  }

  askForRoom(arrival: Arrival): void {
    arrival.asks = this
    this.#passage.send(OFFERS.makeRoom, this.#expect(arrival), undefined)
  }

  #expect(arrival: Arrival): number {
    const number = this.#nextNumber
    this.#nextNumber = (number + 1) & MAX_NUMBER
    this.#unanswered.set(number, arrival)
    return number
  }

  #answered(kind: number, number: number): void {
    const arrival = this.#unanswered.get(number)
    if (arrival === undefined) return
    if (kind === ANSWERS.lost) {
      this.#lose(number, 'accept EMFILE')
      return
    }
    this.#unanswered.delete(number)
    // The worker has a descriptor of its own for it.
    if (kind === ANSWERS.taken) arrival.accepted.destroy()
    else this.#reply(arrival, kind === ANSWERS.roomMade)
    this.#leaveIfAllHaveCome()
    this.#events.onAnswered()
  }

  #reply(arrival: Arrival, hasMadeRoom: boolean): void {
    arrival.asks = undefined
    if (!hasMadeRoom) arrival.refused.add(this)
    this.#events.onReply(arrival)
  }

  /** It does not answer: nobody waits for room any more. Connections on their way to it may still get there, and stay. */
  giveUpAsking(): void {
    for (const [number, arrival] of [...this.#unanswered]) {
      if (arrival.asks === undefined) continue
      this.#unanswered.delete(number)
      this.#reply(arrival, false)
    }
    this.#leaveIfAllHaveCome()
  }

  #lose(number: number, error: string): void {
    const arrival = this.#unanswered.get(number)
    if (arrival === undefined) return
    this.#unanswered.delete(number)
    if (!arrival.isOverLimit) this.#granted--
    arrival.accepted.destroy()
    this.#events.onLost(error)
    this.#leaveIfAllHaveCome()
    this.#events.onAnswered()
  }

  /** What it has not answered it does not have, and it will take nothing more. */
  #passageEnded(): void {
    const arrivals = [...this.#unanswered.values()]
    this.#unanswered.clear()
    // Why, its end tells, which may come a moment later.
    if (!this.isDead)
      setTimeout(() => this.#die({ reason: 'it takes no connections any more', stack: undefined }), EXPLAIN_MS)
    this.isDead = true
    for (const arrival of arrivals) {
      if (arrival.asks !== undefined) this.#reply(arrival, false)
      else {
        if (!arrival.isOverLimit) this.#granted--
        this.#events.onReturned(arrival)
      }
    }
    if (this.state === 'ended') this.#events.onEnded(this)
    else this.#leaveIfAllHaveCome()
  }

  // ---- its end

  /** It gets nothing more, and is told so when it has all that was on its way. `drain` is for a stop: then that does not count. */
  leave(how: 'retire' | 'drain'): void {
    if (this.state === 'ended') return
    this.isDead = true
    if (this.state === 'new') {
      this.terminate()
      return
    }
    this.state = 'leaving'
    this.#isToLeave = how === 'retire'
    if (how === 'drain') this.#post({ type: 'drain' })
    else this.#leaveIfAllHaveCome()
  }

  #leaveIfAllHaveCome(): void {
    if (!this.#isToLeave || this.#unanswered.size > 0) return
    this.#isToLeave = false
    this.#post({ type: 'retire' })
  }

  askToLeave(): void {
    this.#post({ type: 'ask-to-leave' })
  }

  cut(): void {
    this.isDead = true
    this.#isExplained = true
    this.#post({ type: 'cut' })
  }

  /** Whatever it does. */
  terminate(): void {
    this.isDead = true
    this.#isExplained = true
    void this.#thread?.terminate()
  }

  /** Whoever waits for its end must not end before. */
  holdProcess(): void {
    this.#thread?.ref()
  }

  #die(death: Death): void {
    if (this.#isExplained) return
    this.isDead = true
    this.#isExplained = true
    if (this.state !== 'ended') this.leave('retire')
    this.#events.onDeath(this, death)
  }

  #exited(code: number): void {
    this.state = 'ended'
    this.#lines.drain()
    this.#lines.close()
    this.#settingsPort.close()
    this.#die(describeEnd(this.#error, code))
    // Otherwise the end of the passage is still to come, when all that was answered has been heard.
    if (this.#unanswered.size > 0) return
    this.#passage.close()
    this.#events.onEnded(this)
  }

  // ---- what it is told, and what it says

  publish(settings: NewSettings): void {
    if (this.state !== 'ended') this.#settingsPort.postMessage(settings)
  }

  /** Whether it has turned since it was asked this last. */
  hasTurned(): boolean {
    const beat = this.#gauges[GAUGES.beats]!
    const hasTurned = beat !== this.#lastBeat
    this.#lastBeat = beat
    return hasTurned
  }

  refreshMetrics(number: number): void {
    this.#post({ type: 'refresh-metrics', number })
  }

  forgetMetrics(label: 'upstream' | 'api_key', values: readonly string[]): void {
    this.#post({ type: 'forget-metrics', label, values })
  }

  takeLedger(way: LedgerWay): void {
    this.#post({ type: 'ledger', way }, [way.first?.port ?? way.next!])
  }

  #post(message: ToWorker, transfer: readonly MessagePort[] = []): void {
    if (this.state !== 'ended') this.#thread?.postMessage(message, transfer)
  }

  #take(message: FromWorker): void {
    switch (message.type) {
      case 'unavailable':
        if (this.state === 'new' && !this.isDead) this.#events.onUnavailable(this, message.reason)
        break
      case 'lines':
        this.#lines.drain()
        break
      case 'line':
        this.#lines.post(message.line)
        break
      case 'broken':
        this.#die(message)
        break
      case 'draining':
        this.#events.onDraining(this)
        break
      case 'page':
        this.#events.onPage(this, message.memory)
        break
      case 'refreshed':
        this.#events.onRefreshed(this, message.number)
        break
      case 'ended':
        this.terminate()
    }
  }
}
