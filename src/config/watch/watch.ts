/**
 * Watches the configuration file and the files that it names, and loads them when they have changed.
 *
 * It polls. Notifications of the kernel are lost on network file systems and bind mounts, and when Kubernetes swaps
 * `..data` the watched inode just goes away; whoever wants to be sure polls as well, and then the poll is enough.
 */
import type { LoadedSettings, LoadFailure } from '../load.ts'
import type { Settings } from '../settings.ts'
import { identityOf, type Source } from '../source.ts'
import { problemLines } from '../text/problem.ts'
import { type Changes, changedFiles, changesBetween, NO_CHANGES, namedFiles } from './changes.ts'
import type { WatchClock } from './clock.ts'
import { Settling } from './settling.ts'
import { agree, isLooked, Sightings } from './sightings.ts'
import { isSameObstacle, type ObstacleEvent, obstacleOf, type WatchEvent, type WatchState } from './state.ts'

export interface WatchOptions {
  readonly initial: WatchState
  readonly load: (inForce: Settings | undefined) => LoadedSettings | LoadFailure
  /** `state`: as `state()` has it. */
  readonly onEvent: (event: WatchEvent, state: WatchState) => void
  readonly clock: WatchClock
}

export interface Watcher {
  /** Takes what is there at once, without waiting for it to settle, and reports it even if it is nothing new. */
  reloadNow(): void
  /** A change is settling, or a reload that was asked for could not be made yet. */
  readonly isBusy: boolean
  /** What another watcher could go on from, but for what is served. */
  state(): WatchState
  close(): void
}

const POLL_MS = 125
/** While a change settles, so that it is live soon after. */
const PENDING_POLL_MS = 25
const REPEAT_MS = 10 * 60_000

/** A state that is reported once, and now and then while it lasts. */
interface Condition {
  readonly event: ObstacleEvent
  /** Infinity: never again. */
  repeatAt: number
}

export function watchConfiguration(options: WatchOptions): Watcher {
  return new ConfigurationWatcher(options)
}

class ConfigurationWatcher implements Watcher {
  readonly #options: WatchOptions
  readonly #clock: WatchClock
  readonly #sightings: Sightings
  readonly #settling = new Settling()
  /** As they were loaded last, with or without success. */
  #sources: readonly Source[]
  /** Identity of what was loaded last with success. */
  #applied: string | undefined
  /** What that was; undefined: nothing of any file. */
  #served: Settings | undefined
  /** Identity of `#sources`. Undefined: whatever is seen next is news. */
  #known: string | undefined
  #condition: Condition | undefined
  /** An obstacle was reported, and not yet that it is over. */
  #isObstacleTold: boolean
  /** A reload was asked for when nothing could be read. */
  #isOwed = false
  #cancel: (() => void) | undefined
  #isClosed = false

  constructor(options: WatchOptions) {
    const { initial, clock } = options
    this.#options = options
    this.#clock = clock
    this.#sightings = new Sightings(initial.sources, () => clock.now())
    this.#sources = initial.sources
    this.#known = identityOf(initial.sources)
    this.#applied = initial.applied
    this.#served = initial.served
    this.#isObstacleTold = initial.condition !== undefined
    if (initial.condition !== undefined) {
      const { event, isRepeated } = initial.condition
      this.#condition = { event, repeatAt: isRepeated ? clock.now() + REPEAT_MS : Number.POSITIVE_INFINITY }
    }
    this.#schedule()
  }

  reloadNow(): void {
    if (this.#isClosed) return
    const loaded = this.#options.load(this.#served)
    this.#isOwed = !isLooked(loaded.sources)
    if (!this.#isOwed) this.#take(loaded, true)
  }

  get isBusy(): boolean {
    return this.#settling.isPending || this.#isOwed
  }

  state(): WatchState {
    const condition = this.#condition && {
      event: this.#condition.event,
      isRepeated: this.#condition.repeatAt !== Number.POSITIVE_INFINITY,
    }
    return { sources: this.#sources, applied: this.#applied, condition }
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
    if (this.#isOwed) {
      this.reloadNow()
      return
    }
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
    const loaded = this.#options.load(this.#served)
    if (!isLooked(loaded.sources)) {
      this.#settling.reset()
      return
    }
    // What has changed again since the look above has not settled.
    if (verdict === 'settled' ? agree(seen, loaded.sources) : loaded.ok) this.#take(loaded, false)
  }

  #take(loaded: LoadedSettings | LoadFailure, isAskedFor: boolean): void {
    const before = this.#known
    this.#sources = loaded.sources
    this.#known = identityOf(loaded.sources)
    this.#sightings.watch(loaded.sources)
    this.#settling.reset()
    if (!loaded.ok) this.#meet(obstacleOf(loaded), before === this.#known)
    else {
      this.#condition = undefined
      const isOver = this.#isObstacleTold
      this.#isObstacleTold = false
      if (this.#known === this.#applied && !isAskedFor) {
        if (isOver) this.#report({ type: 'restored' })
        return
      }
      const changes = this.#changesOf(loaded)
      this.#applied = this.#known
      const { settings, warnings } = loaded
      this.#served = settings
      this.#report({ type: 'changed', settings, warnings: problemLines(warnings), changes, isAskedFor })
    }
  }

  #changesOf({ settings, sources }: LoadedSettings): Changes {
    if (this.#served === undefined) return NO_CHANGES
    const changed = changedFiles(this.#applied, sources)
    return { ...changesBetween(this.#served, settings, changed), ...namedFiles(changed, sources) }
  }

  /** Somebody may ask a hundred times: what has been said of this very content is not said again. */
  #meet(event: ObstacleEvent, isSameContent: boolean): void {
    if (isSameContent && this.#condition !== undefined && isSameObstacle(this.#condition.event, event)) return
    this.#condition = { event, repeatAt: this.#clock.now() + REPEAT_MS }
    this.#isObstacleTold = true
    this.#report(event)
  }

  #repeat(now: number): void {
    if (this.#condition === undefined || now < this.#condition.repeatAt) return
    this.#condition.repeatAt = now + REPEAT_MS
    this.#report(this.#condition.event)
  }

  #report(event: WatchEvent): void {
    this.#options.onEvent(event, this.state())
  }
}
