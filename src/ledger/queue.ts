/** The serving side: rows are collected and handed over to the ledger's thread a few hundred at a time. Nothing here waits. */
import type { MessagePort } from 'node:worker_threads'
import { inMemoryOf, type SharedCounts, writerCounts } from './counts.ts'
import { AT, type Row } from './row.ts'

/** What a serving thread needs to hand rows over: it can be sent to another thread, with `port` in the transfer list. */
export interface LedgerPort {
  readonly port: MessagePort
  /** Its own: with the sequence it tells a row from any other, of any process and any thread. */
  readonly instance: string
  /** Its place among the counts. */
  readonly writer: number
  readonly counts: SharedCounts
}

/** Rows on their way; the answer is its `id` once they are in the store or in the spill. */
export interface Handed {
  readonly id: number
  readonly rows: readonly Row[]
}

export interface LedgerQueue {
  /** Never throws, never waits. The row is the queue's from here on. */
  offer(row: Row): void
  /** Hands over what is there now. */
  flush(): void
  /** The ledger's thread has been replaced: what the last one has not answered goes to this one. */
  attach(port: MessagePort): void
  /** After the last row; hands over what is there. */
  close(): void
}

/** 500 rows cost this thread 0.9 ms, most of it for the copy. */
const BATCH_ROWS = 500
/** A row is younger than a second when it is in the store or the spill, so that a kill loses no older one. */
const BATCH_MS = 100

export function createLedgerQueue({ port: first, instance, writer, counts: shared }: LedgerPort): LedgerQueue {
  const counts = writerCounts(shared, writer)
  const memory = inMemoryOf(shared)
  /** Until they are answered: a thread that dies takes none of them along. */
  const unanswered = new Map<number, Handed>()
  let port: MessagePort
  let rows: Row[] = []
  let sequence = 0
  let lastId = 0
  let timer: NodeJS.Timeout | undefined

  function flush(): void {
    clearTimeout(timer)
    timer = undefined
    if (rows.length === 0) return
    const handed = { id: ++lastId, rows }
    rows = []
    unanswered.set(handed.id, handed)
    port.postMessage(handed)
  }

  function attach(next: MessagePort): void {
    port = next
    port.on('message', (id: number) => void unanswered.delete(id))
    // It holds no process.
    port.unref()
    for (const handed of unanswered.values()) port.postMessage(handed)
  }

  attach(first)
  return {
    offer(row) {
      if (memory.isOff()) return
      counts.accepted()
      if (!memory.take()) {
        counts.dropped()
        return
      }
      row[AT.instance] = instance
      row[AT.sequence] = ++sequence
      if (rows.push(row) >= BATCH_ROWS) flush()
      else timer ??= setTimeout(flush, BATCH_MS).unref()
    },
    flush,
    attach,
    close() {
      flush()
      port.close()
    },
  }
}
