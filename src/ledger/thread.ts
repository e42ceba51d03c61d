/** The main thread's side of the ledger: starts its thread, and again if it dies; gives each serving thread a way to it. */
import { randomBytes } from 'node:crypto'
import type { MessagePort, Worker } from 'node:worker_threads'
import type { Configuration } from '../config/assemble.ts'
import { announce, EVENTS } from '../observe/events.ts'
import type { Log } from '../observe/log.ts'
import { startThread } from '../runtime/threads.ts'
import { createCounts, inMemoryOf, type LedgerRows, readCounts, writerEnded } from './counts.ts'
import type { FromLedgerThread, LedgerState, ToLedgerThread } from './messages.ts'
import type { LedgerPort } from './queue.ts'

export interface LedgerThread {
  /** Of this process: the beginning of the `instance` of all its rows. */
  readonly instance: string
  /** For one serving thread, which makes a queue of it (`createLedgerQueue`). */
  port(): LedgerPort
  /** The thread of a port has ended: what it had handed over is written all the same, and the rest of its rows is dropped. */
  forget(port: LedgerPort): void
  /** What holds from now on. Rows that were handed over for another store still go there. */
  publish(settings: LedgerSource): void
  rows(): LedgerRows
  /**
   * Once all queues are closed. What is not in the store within this time goes into the spill. Resolves when every row is in one of
   * them, at the latest 2 seconds behind that, and has logged what became of them. A stop that takes its time may be followed by one
   * that takes none.
   */
  close(withinMs?: number): Promise<void>
}

/** What it takes of a configuration. */
export type LedgerSource = Pick<Configuration, 'ledger' | 'priceTable'>

export interface LedgerThreadOptions {
  /** After the thread was replaced: each queue gets a port anew (`attach`). */
  readonly onReplaced: (port: LedgerPort, next: MessagePort) => void
  /** For tests. */
  readonly entry?: URL
}

const ENTRY = new URL('./worker.ts', import.meta.url)
const LIMITS = { maxYoungGenerationSizeMb: 16, maxOldGenerationSizeMb: 1024 }
const STOP_MS = 10_000
/** For a store that does not even let go. */
const GRACE_MS = 2_000
const FIRST_RESTART_MS = 250
const MAX_RESTART_MS = 32_000
/** One that has lived so long did not die of what its predecessor died of. */
const HEALTHY_MS = 60_000

export function openLedger(settings: LedgerSource, log: Log, options: LedgerThreadOptions): LedgerThread {
  return new Ledger(settings, log, options)
}

class Ledger implements LedgerThread {
  readonly instance: string = randomBytes(8).toString('hex')
  readonly #log: Log
  readonly #options: LedgerThreadOptions
  readonly #counts = createCounts()
  readonly #ports = new Set<LedgerPort>()
  #writers = 0
  #state: LedgerState
  #thread: Worker | undefined
  #restartMs = FIRST_RESTART_MS
  #startedAt = 0
  #restart: NodeJS.Timeout | undefined
  #closing: Promise<void> | undefined
  readonly #stopped = Promise.withResolvers<void>()

  constructor(settings: LedgerSource, log: Log, options: LedgerThreadOptions) {
    this.#log = log
    this.#options = options
    this.#state = { ledger: settings.ledger, priceTable: settings.priceTable }
    // Rows may come before the thread is up.
    inMemoryOf(this.#counts).limit(settings.ledger?.queueRows ?? 0)
    this.#start()
  }

  port(): LedgerPort {
    const writer = this.#writers++
    const ways = this.#way()
    const port = { port: ways, instance: `${this.instance}-${writer}`, writer, counts: this.#counts }
    this.#ports.add(port)
    return port
  }

  forget(port: LedgerPort): void {
    this.#ports.delete(port)
    writerEnded(this.#counts, port.writer)
  }

  publish(settings: LedgerSource): void {
    this.#state = { ledger: settings.ledger, priceTable: settings.priceTable }
    this.#post({ type: 'state', state: this.#state })
  }

  rows(): LedgerRows {
    return readCounts(this.#counts)
  }

  async close(withinMs?: number): Promise<void> {
    const limitMs = withinMs ?? (this.#closing === undefined ? STOP_MS : undefined)
    this.#closing ??= this.#close()
    if (limitMs === undefined) return this.#closing
    this.#post({ type: 'stop', withinMs: limitMs })
    const timer = setTimeout(() => this.#stopped.resolve(), limitMs + GRACE_MS)
    await this.#closing
    clearTimeout(timer)
  }

  async #close(): Promise<void> {
    clearTimeout(this.#restart)
    if (this.#thread === undefined) this.#stopped.resolve()
    await this.#stopped.promise
    void this.#thread?.terminate()
    const { accepted, written, queued, spilled, dropped } = this.rows()
    // What waits now waits for nobody.
    announce(this.#log, EVENTS.ledgerClosed, { accepted, written, queued: 0, spilled, dropped: dropped + queued })
  }

  #way(): MessagePort {
    const { MessageChannel } = process.getBuiltinModule('node:worker_threads')
    const { port1, port2 } = new MessageChannel()
    this.#post({ type: 'port', port: port2 }, [port2])
    return port1
  }

  #start(): void {
    let thread: Worker
    this.#startedAt = performance.now()
    try {
      thread = startThread(this.#options.entry ?? ENTRY, LIMITS)
    } catch (error) {
      this.#died(error)
      return
    }
    let cause: unknown
    this.#thread = thread
    thread.on('message', (message: FromLedgerThread) => this.#take(message))
    thread.on('error', (error) => {
      cause = error
    })
    thread.on('exit', (code) => {
      this.#thread = undefined
      if (this.#closing === undefined) this.#died(cause ?? new Error(`exit code ${code}`))
      else this.#stopped.resolve()
    })
    this.#post({ type: 'begin', counts: this.#counts })
    this.#post({ type: 'state', state: this.#state })
  }

  #died(cause: unknown): void {
    // The message of an exception may quote a row.
    const error = cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.name) : 'not an Error'
    announce(this.#log, EVENTS.ledgerThreadDied, { error })
    if (performance.now() - this.#startedAt > HEALTHY_MS) this.#restartMs = FIRST_RESTART_MS
    this.#restart = setTimeout(() => {
      this.#start()
      for (const port of this.#ports) this.#options.onReplaced(port, this.#way())
    }, this.#restartMs).unref()
    this.#restartMs = Math.min(this.#restartMs * 2, MAX_RESTART_MS)
  }

  #take(message: FromLedgerThread): void {
    if (message.type === 'stopped') this.#stopped.resolve()
    else announce(this.#log, EVENTS[message.event.kind], message.event.fields)
  }

  #post(message: ToLedgerThread, transfer: readonly MessagePort[] = []): void {
    this.#thread?.postMessage(message, transfer)
  }
}
