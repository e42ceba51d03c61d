/**
 * The serving side of the configuration's thread: starts it, starts it again if it dies, passes on what it reports, and makes
 * one reload of many that are asked for.
 */
import type { ResourceLimits, Worker } from 'node:worker_threads'
import { startThread } from '../../runtime/threads.ts'
import type { WatchClock } from './clock.ts'
import type { FromWatchThread, ToWatchThread } from './messages.ts'
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
  /** The thread has ended by itself, and another one will take its place. */
  onDeath(death: Death): void
}

export interface Death {
  readonly error: string
  readonly stack: string | undefined
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
  #thread: Worker | undefined
  #isClosed = false
  /** The thread ends because it said so. */
  #isRetiring = false
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
    this.#start()
  }

  isUp(): Promise<void> {
    return this.#up.promise
  }

  watch(from: WatchState, listener: WatchListener): void {
    this.#state = from
    this.#listener = listener
    if (this.#untold !== undefined) listener.onDeath(this.#untold)
    this.#post({ type: 'watch', path: this.#options.path, initial: from })
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
    void this.#thread?.terminate()
  }

  #start(): void {
    const { path, clock, entry = ENTRY, limits = LIMITS } = this.#options
    const thread = startThread(entry, limits)
    this.#thread = thread
    this.#isRetiring = false
    this.#startedAt = clock.now()
    let cause: unknown
    thread.on('message', (message: FromWatchThread) => this.#take(message))
    thread.on('messageerror', (error) => {
      cause = error
      void thread.terminate()
    })
    thread.on('error', (error) => {
      cause = error
    })
    thread.on('exit', (code) => this.#ended(cause, code))
    if (this.#state === undefined) return
    this.#post({ type: 'watch', path, initial: this.#state })
    this.#ask()
  }

  #ask(): void {
    if (!this.#isWanted || this.#reload !== 'none' || this.#thread === undefined || this.#state === undefined) return
    this.#isWanted = false
    this.#reload = 'running'
    this.#post({ type: 'reload' })
  }

  #post(message: ToWatchThread): void {
    this.#thread?.postMessage(message)
  }

  #take(message: FromWatchThread): void {
    if (this.#isClosed) return
    switch (message.type) {
      case 'up':
        this.#up.resolve()
        break
      case 'event':
        this.#state = message.state
        this.#listener?.onEvent(message.event)
        break
      case 'retiring':
        this.#state = message.state
        this.#isRetiring = true
        break
      case 'reloaded':
        this.#reload = 'pause'
        this.#after(RELOAD_PAUSE_MS, () => {
          if (this.#reload === 'pause') this.#reload = 'none'
          this.#ask()
        })
    }
  }

  #ended(cause: unknown, code: number): void {
    this.#thread = undefined
    if (this.#isClosed) return
    // What was asked of it, and not answered, is asked of the next one.
    if (this.#reload === 'running') this.#isWanted = true
    this.#reload = 'none'
    if (this.#isRetiring) this.#start()
    else this.#died(cause, code)
  }

  #died(cause: unknown, code: number): void {
    const now = this.#options.clock.now()
    if (now - this.#startedAt > MAX_RESTART_MS * 2) this.#restartMs = FIRST_RESTART_MS
    this.#after(this.#restartMs, () => this.#start())
    this.#restartMs = Math.min(this.#restartMs * 2, MAX_RESTART_MS)
    const death = describeDeath(cause, code)
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

/** Without the message of an exception: it was thrown amid secrets, and may quote one. */
function describeDeath(cause: unknown, code: number): Death {
  if (!(cause instanceof Error)) {
    return { error: cause === undefined ? `exit code ${code}` : 'something that is no Error', stack: undefined }
  }
  const frames = (cause.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  const error = (cause as NodeJS.ErrnoException).code ?? cause.name
  return { error, stack: frames.length === 0 ? undefined : frames.map((line) => line.trim()).join('\n') }
}
