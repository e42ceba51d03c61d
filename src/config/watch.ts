/**
 * Watches the configuration file and the files that it names, and loads them when they have changed.
 *
 * It polls. Notifications of the kernel are lost on network file systems and bind mounts, and when Kubernetes swaps
 * `..data` the watched inode just goes away; whoever wants to be sure polls as well, and then the poll is enough.
 */
import { monotonicMs } from '../runtime/clock.ts'
import { type LoadFailure, type LoadSuccess, loadConfiguration } from './load.ts'
import { Settling } from './settling.ts'
import { agree, identityOf, Sightings } from './sightings.ts'

export type WatchEvent =
  | { readonly type: 'changed'; readonly loaded: LoadSuccess }
  | { readonly type: 'invalid'; readonly error: string }
  | { readonly type: 'missing' }
  | { readonly type: 'denied' }

export interface WatchClock {
  /** Monotonic milliseconds. */
  now(): number
  /** Runs it once, later; the result takes that back. */
  after(ms: number, run: () => void): () => void
}

export interface WatchOptions {
  readonly env?: NodeJS.ProcessEnv
  readonly clock?: WatchClock
}

export interface Watcher {
  /** Takes what is there at once, without waiting for it to settle, and reports it even if it is nothing new. */
  reloadNow(): void
  close(): void
}

const POLL_MS = 125
/** While a change settles, so that it is live soon after. */
const PENDING_POLL_MS = 25
const REPEAT_MS = 10 * 60_000

/** The only thing that it keeps alive is itself: its timers hold no process. */
const REAL_CLOCK: WatchClock = {
  now: monotonicMs,
  after(ms, run) {
    const timer = setTimeout(run, ms).unref()
    return () => clearTimeout(timer)
  },
}

/** A state that is reported once, and now and then while it lasts. */
interface Condition {
  readonly event: Exclude<WatchEvent, { type: 'changed' }>
  /** Infinity: never again. */
  repeatAt: number
}

export function watchConfiguration(
  path: string,
  initial: LoadSuccess | LoadFailure,
  onEvent: (event: WatchEvent) => void,
  options: WatchOptions = {},
): Watcher {
  return new ConfigurationWatcher(path, initial, onEvent, options)
}

class ConfigurationWatcher implements Watcher {
  readonly #path: string
  readonly #onEvent: (event: WatchEvent) => void
  readonly #env: NodeJS.ProcessEnv
  readonly #clock: WatchClock
  readonly #sightings: Sightings
  readonly #settling = new Settling()
  /** Identity of what was loaded last with success. */
  #applied: string | undefined
  /** Identity of what was loaded last, with or without success. Undefined: whatever is seen next is news. */
  #known: string | undefined
  #condition: Condition | undefined
  #cancel: (() => void) | undefined
  #isClosed = false

  constructor(
    path: string,
    initial: LoadSuccess | LoadFailure,
    onEvent: (event: WatchEvent) => void,
    { env = process.env, clock = REAL_CLOCK }: WatchOptions,
  ) {
    this.#path = path
    this.#onEvent = onEvent
    this.#env = env
    this.#clock = clock
    this.#sightings = new Sightings(initial.sources, () => clock.now())
    this.#known = identityOf(initial.sources)
    if (initial.ok) this.#applied = this.#known
    // Whoever loaded it has reported it.
    else this.#condition = { event: eventOf(initial), repeatAt: Number.POSITIVE_INFINITY }
    this.#schedule()
  }

  reloadNow(): void {
    if (!this.#isClosed) this.#take(loadConfiguration(this.#path, this.#env), true)
  }

  close(): void {
    this.#isClosed = true
    this.#cancel?.()
  }

  #schedule(): void {
    if (this.#isClosed) return
    this.#cancel = this.#clock.after(this.#settling.isPending ? PENDING_POLL_MS : POLL_MS, () => {
      try {
        this.#poll()
      } finally {
        this.#schedule()
      }
    })
  }

  #poll(): void {
    const now = this.#clock.now()
    const seen = this.#sightings.look()
    const isReadable = seen[0]?.obstacle === undefined
    // Being away ends with being there, changed or not; if the file goes away again, that is another condition.
    if (isReadable && this.#condition !== undefined && this.#condition.event.type !== 'invalid') {
      this.#condition = undefined
      this.#known = undefined
    }
    const verdict = this.#settling.judge(identityOf(seen), this.#known, isReadable, now)
    if (verdict === 'same') this.#repeat(now)
    if (verdict !== 'settled' && verdict !== 'overdue') return
    const loaded = loadConfiguration(this.#path, this.#env)
    // What has changed again since the look above has not settled.
    if (verdict === 'settled' ? agree(seen, loaded.sources) : loaded.ok) this.#take(loaded, false)
  }

  #take(loaded: LoadSuccess | LoadFailure, isAskedFor: boolean): void {
    this.#known = identityOf(loaded.sources)
    this.#sightings.watch(loaded.sources)
    this.#settling.reset()
    if (!loaded.ok) {
      this.#condition = { event: eventOf(loaded), repeatAt: this.#clock.now() + REPEAT_MS }
      this.#onEvent(this.#condition.event)
      return
    }
    this.#condition = undefined
    if (this.#known === this.#applied && !isAskedFor) return
    this.#applied = this.#known
    this.#onEvent({ type: 'changed', loaded })
  }

  #repeat(now: number): void {
    if (this.#condition === undefined || now < this.#condition.repeatAt) return
    this.#condition.repeatAt = now + REPEAT_MS
    this.#onEvent(this.#condition.event)
  }
}

function eventOf({ reason, error }: LoadFailure): Condition['event'] {
  return reason === 'missing' || reason === 'denied' ? { type: reason } : { type: 'invalid', error }
}
