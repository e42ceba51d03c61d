import { createLineRing, type LineReader, openLineReader } from '../workers/line-ring.ts'
import { SLOT, type Tally } from '../workers/tally.ts'
import type { LineIntake, Sink } from './sink.ts'

/** The lines of other threads, on their way into the one log: this is the side of the thread that writes. */

/** One thread's. All of it is to be called by the thread that writes. */
export interface WorkerLines {
  /** Goes to the thread. */
  readonly shared: SharedArrayBuffer
  /** When it has notified, and after its death: writes what it has committed (and the others, since that costs no more). */
  drain(): void
  /** A line that it has sent instead of putting it into the ring. */
  post(line: string): void
  /** It has ended, and its messages have come: what it has left is written, and the ring is forgotten. */
  close(): void
}

/** What comes of it makes the way of one more thread. */
export function collectLines(sink: Sink & LineIntake, tally: Tally): () => WorkerLines {
  const readers = new Set<LineReader>()

  /** Where there is no room they wait in their rings, and what comes then is left out there. */
  function drainAll(): void {
    let hasMoved = false
    let missing = 0
    for (const reader of readers) {
      if (reader.size() > 0) hasMoved = reader.read(sink.room(), sink.enterBytes) || hasMoved
      missing += reader.missing()
    }
    if (missing > 0) sink.tellDropped(missing)
    if (hasMoved || missing > 0) sink.flushNow()
  }

  return () => {
    sink.onRoom(drainAll)
    const shared = createLineRing()
    const reader = openLineReader(shared)
    readers.add(reader)
    return {
      shared,
      drain: drainAll,
      post(line) {
        // What stands in the ring was there before it. A little more than there is room for does no harm.
        if (sink.room() > 0) reader.read(Number.POSITIVE_INFINITY, sink.enterBytes)
        reader.arrived(line)
        sink.writeSoon(line)
      },
      close() {
        drainAll()
        readers.delete(reader)
        const unwritten = reader.abandon()
        tally.add(SLOT.linesDropped, unwritten)
        const missing = unwritten + reader.missing()
        if (missing > 0) sink.tellDropped(missing)
      },
    }
  }
}
