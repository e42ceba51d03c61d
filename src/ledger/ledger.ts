/** What a gateway has of a ledger: its thread, as soon as a configuration names a store, and ways to it for the threads that serve. */
import type { MessagePort } from 'node:worker_threads'
import type { Log } from '../observe/log.ts'
import type { LedgerRows } from './counts.ts'
import { createLedgerQueue, type LedgerPort, type LedgerQueue } from './queue.ts'
import { type LedgerSource, type LedgerThread, openLedger } from './thread.ts'

/** For a thread that serves: the way to the ledger, or another end of it after the ledger's thread was replaced. */
export type LedgerWay =
  | { readonly first: LedgerPort; readonly next?: undefined }
  | { readonly first?: undefined; readonly next: MessagePort }

export interface Ledger {
  /** What holds from now on. */
  publish(source: LedgerSource): void
  /** `take` gets a way as soon as there is one. The result is to be called when its thread has ended. */
  join(take: (way: LedgerWay) => void): () => void
  /** Undefined: there has never been one. */
  rows(): LedgerRows | undefined
  /** Once all who have joined have closed their queues; see `LedgerThread`. It may be called again, to wait for less time. */
  close(withinMs?: number): Promise<void>
}

export function createLedger(log: Log): Ledger {
  let thread: LedgerThread | undefined
  /** With its port, as soon as there is a thread. */
  const joined = new Map<(way: LedgerWay) => void, LedgerPort | undefined>()
  const takers = new Map<LedgerPort, (way: LedgerWay) => void>()

  function connect(take: (way: LedgerWay) => void): void {
    if (thread === undefined) return
    const port = thread.port()
    joined.set(take, port)
    takers.set(port, take)
    take({ first: port })
  }

  return {
    publish(source) {
      if (thread !== undefined) thread.publish(source)
      else if (source.ledger !== undefined) {
        thread = openLedger(source, log, { onReplaced: (port, next) => takers.get(port)?.({ next }) })
        for (const take of joined.keys()) connect(take)
      }
    },
    join(take) {
      joined.set(take, undefined)
      connect(take)
      return () => {
        const port = joined.get(take)
        joined.delete(take)
        if (port === undefined) return
        takers.delete(port)
        thread?.forget(port)
      }
    },
    rows: () => thread?.rows(),
    close: async (withinMs) => thread?.close(withinMs),
  }
}

/** The end of a way on the thread that serves. */
export interface LedgerEnd extends Pick<LedgerQueue, 'offer' | 'close'> {
  take(way: LedgerWay): void
}

export function createLedgerEnd(): LedgerEnd {
  let queue: LedgerQueue | undefined
  return {
    take({ first, next }) {
      if (first !== undefined) queue = createLedgerQueue(first)
      else queue?.attach(next)
    },
    offer: (record, keys, timeMs) => queue?.offer(record, keys, timeMs),
    close() {
      queue?.close()
      queue = undefined
    },
  }
}
