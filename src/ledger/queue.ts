/** The serving side: rows are collected and handed over to the ledger's thread a few hundred at a time. Nothing here waits. */
import type { MessagePort } from 'node:worker_threads'
import type { KeyRing } from '../config/snapshot.ts'
import type { RequestRecord } from '../observe/record.ts'
import { inMemoryOf, type SharedCounts, writerCounts } from './counts.ts'
import { type PackedRows, Packer } from './packing.ts'

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
  readonly instance: string
  /** Of the first row; the others follow. */
  readonly sequence: number
  readonly rows: PackedRows
}

export interface LedgerQueue {
  /**
   * Never throws, never waits, keeps nothing of what it is given.
   *
   * @param keys those of the exchange's snapshot: what is one of them is masked
   * @param timeMs when the exchange ended, since 1970
   */
  offer(record: RequestRecord, keys: KeyRing, timeMs: number): void
  /** Hands over what is there now. */
  flush(): void
  /** The ledger's thread has been replaced: what the last one has not answered goes to this one. */
  attach(port: MessagePort): void
  /** After the last row; hands over what is there. */
  close(): void
}

/** 500 rows cost this thread 0.2 ms, over the time in which they come. */
const BATCH_ROWS = 500
/** A row is younger than a second when it is in the store or the spill, so that a kill loses no older one. */
const BATCH_MS = 100

export function createLedgerQueue({ port: first, instance, writer, counts: shared }: LedgerPort): LedgerQueue {
  const counts = writerCounts(shared, writer)
  const memory = inMemoryOf(shared)
  /** Until they are answered: a thread that dies takes none of them along. */
  const unanswered = new Map<number, Handed>()
  let port: MessagePort
  const packer = new Packer(BATCH_ROWS)
  let sequence = 1
  let waiting = 0
  let lastId = 0
  let timer: NodeJS.Timeout | undefined

  function flush(): void {
    clearTimeout(timer)
    timer = undefined
    if (waiting === 0) return
    const handed = { id: ++lastId, instance, sequence, rows: packer.take() }
    counts.handed(waiting)
    sequence += waiting
    waiting = 0
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
    offer(record, keys, timeMs) {
      if (memory.isOff()) return
      counts.accepted()
      if (!memory.take()) {
        counts.dropped()
        return
      }
      waiting = packer.add(record, keys, timeMs)
      if (waiting >= BATCH_ROWS) flush()
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
