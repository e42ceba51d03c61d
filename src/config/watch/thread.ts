/**
 * The serving side of the configuration's thread: starts it, starts it again if it dies, passes on what it reports, and makes
 * one reload of many that are asked for.
 */
import type { ResourceLimits } from 'node:worker_threads'
import type { WatchClock } from './clock.ts'
import type { FromWatchThread } from './messages.ts'
import { type Death, type Spawned, spawn } from './spawn.ts'
import type { WatchEvent, WatchState } from './state.ts'

export interface WatchThreadOptions {
  readonly path: string
  readonly clock: WatchClock
  /** For tests. */
  readonly entry?: URL
  readonly limits?: ResourceLimits
}

export interface WatchListener {
  onEvent(event: WatchEvent): void
  /** The thread has ended by itself, or could not be started; another one will take its place. */
  onDeath(death: Death): void
}

export interface WatchThread {
  /**
   * Resolves when the thread has all that it needs to work, or after UP_MS, since nothing but changes depends on it. Its file
   * descriptors are open then: whoever waits for this before clients come has them, however many clients there are.
   */
  isUp(): Promise<void>
  /** From here on, what changes is reported. */
  watch(from: WatchState, listener: WatchListener): void
  /** Takes what is there at once; what is asked for while that goes on, or shortly after, is one more time, later. */
  reloadNow(): void
  /** Silent from here on. */
  close(): void
}

/** From the end of a reload that was asked for to the next one: a hundred signals are a few reloads. */
const RELOAD_PAUSE_MS = 250
const UP_MS = 1000
/** Before a dead thread is replaced; twice as long each time, until one has lived for a while. */
const FIRST_RESTART_MS = 250
const MAX_RESTART_MS = 32_000
/** The same death is told again after this time. */
const REPEAT_MS = 10 * 60_000

/**
 * A small young generation keeps the thread small while it waits; 10 MiB take 8.0 s to parse with it, and 6.7 s with the usual
 * one. They need 0.9 GB; nine million brackets would need more than there is, and end the thread instead of the process.
 */
const LIMITS: ResourceLimits = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 2048 }

const ENTRY = new URL('./worker.ts', import.meta.url)

export function startWatchThread(options: WatchThreadOptions): WatchThread {
  return new Watching(options)
}

class Watching implements WatchThread {
  readonly #options: WatchThreadOptions
  /** Where the next thread is to go on from; undefined: nothing is watched yet. */
  #state: WatchState | undefined
  readonly #up = Promise.withResolvers<void>()
  #thread: Spawned | undefined
  /** Is to take the place of `#thread`, as soon as it is up. */
  #successor: Spawned | undefined
  /** `#thread` has been told to make way, and has not answered. */
  #isRetiring = false
  #isClosed = false
  /** Somebody has asked for a reload that has not begun. */
  #isWanted = false
  #reload: 'none' | 'running' | 'pause' = 'none'
  #restartMs = FIRST_RESTART_MS
  #startedAt = 0
  #listener: WatchListener | undefined
  /** Before anybody listened. */
  #untold: Death | undefined
  #told: { readonly error: string; readonly until: number } | undefined
  #cancelTimers = new Set<() => void>()

  constructor(options: WatchThreadOptions) {
    this.#options = options
    this.#after(UP_MS, () => this.#up.resolve())
    this.#install(this.#spawn())
  }

  isUp(): Promise<void> {
    return this.#up.promise
  }

  watch(from: WatchState, listener: WatchListener): void {
    this.#state = from
    this.#listener = listener
    if (this.#untold !== undefined) listener.onDeath(this.#untold)
    this.#thread?.post({ type: 'watch', path: this.#options.path, initial: from })
    this.#ask()
  }

  reloadNow(): void {
    if (this.#isClosed) return
    this.#isWanted = true
    this.#ask()
  }

  close(): void {
    this.#isClosed = true
    for (const cancel of this.#cancelTimers) cancel()
    // Does not wait: whoever ends the process does, for as long as it wants to.
    this.#thread?.terminate()
    this.#successor?.terminate()
  }

  #spawn(): Spawned {
    const { entry = ENTRY, limits = LIMITS } = this.#options
    return spawn(entry, limits, {
      onMessage: (thread, message) => this.#take(thread, message),
      onEnd: (thread, death) => this.#ended(thread, death),
    })
  }

  /** From here on it is this one that watches. */
  #install(thread: Spawned): void {
    this.#thread = thread
    this.#successor = undefined
    this.#isRetiring = false
    this.#startedAt = this.#options.clock.now()
    // What was asked of the one before, and not answered.
    if (this.#reload === 'running') {
      this.#isWanted = true
      this.#reload = 'none'
    }
    if (this.#state === undefined) return
    thread.post({ type: 'watch', path: this.#options.path, initial: this.#state })
    this.#ask()
  }

  #ask(): void {
    if (!this.#isWanted || this.#reload !== 'none' || this.#isRetiring) return
    if (this.#thread === undefined || this.#state === undefined) return
    this.#isWanted = false
    this.#reload = 'running'
    this.#thread.post({ type: 'reload' })
  }

  #take(thread: Spawned, message: FromWatchThread): void {
    if (this.#isClosed) return
    if (thread === this.#thread) this.#takeFromPresent(message)
    else if (thread === this.#successor && message.type === 'up') this.#relieve()
  }

  #takeFromPresent(message: FromWatchThread): void {
    switch (message.type) {
      case 'up':
        this.#up.resolve()
        break
      case 'event':
        this.#keep(message.state, message.event)
        this.#listener?.onEvent(message.event)
        break
      case 'heavy':
        // Otherwise there will be another load, and another word.
        if (this.#isIdle && this.#successor === undefined) this.#successor = this.#spawn()
        break
      case 'retiring':
        this.#keep(message.state)
        this.#install(this.#successor ?? this.#spawn())
        break
      case 'staying':
        this.#isRetiring = false
        this.#dismissSuccessor()
        this.#ask()
        break
      case 'reloaded':
        this.#reload = 'pause'
        this.#after(RELOAD_PAUSE_MS, () => {
          if (this.#reload === 'pause') this.#reload = 'none'
          this.#ask()
        })
    }
  }

  /** What is served came with the last change, and is not sent again with each state. */
  #keep(state: WatchState, event?: WatchEvent): void {
    const served = event?.type === 'changed' ? event.settings : this.#state?.served
    this.#state = served === undefined ? state : { ...state, served }
  }

  get #isIdle(): boolean {
    return this.#reload !== 'running' && !this.#isWanted
  }

  /** The present thread goes only now that the next one is there, and not amid a reload, after which it will be heavy again. */
  #relieve(): void {
    if (this.#isIdle && this.#thread !== undefined) {
      this.#isRetiring = true
      this.#thread.post({ type: 'retire' })
    } else this.#dismissSuccessor()
  }

  #dismissSuccessor(): void {
    this.#successor?.terminate()
    this.#successor = undefined
  }

  #ended(thread: Spawned, death: Death): void {
    // The present one goes on.
    if (thread === this.#successor) this.#successor = undefined
    if (thread !== this.#thread) return
    this.#thread = undefined
    if (this.#isClosed) return
    this.#replace()
    this.#tell(death)
  }

  #replace(): void {
    if (this.#successor !== undefined) {
      this.#install(this.#successor)
      return
    }
    const now = this.#options.clock.now()
    if (now - this.#startedAt > MAX_RESTART_MS * 2) this.#restartMs = FIRST_RESTART_MS
    this.#after(this.#restartMs, () => this.#install(this.#spawn()))
    this.#restartMs = Math.min(this.#restartMs * 2, MAX_RESTART_MS)
  }

  #tell(death: Death): void {
    const now = this.#options.clock.now()
    if (this.#told?.error === death.error && now < this.#told.until) return
    this.#told = { error: death.error, until: now + REPEAT_MS }
    if (this.#listener === undefined) this.#untold = death
    else this.#listener.onDeath(death)
  }

  #after(ms: number, run: () => void): void {
    const cancel = this.#options.clock.after(ms, () => {
      this.#cancelTimers.delete(cancel)
      run()
    })
    this.#cancelTimers.add(cancel)
  }
}
