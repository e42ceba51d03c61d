import { createLineRing, type LineReader, openLineReader } from '../workers/line-ring.ts'
import { SLOT, type Tally } from '../workers/tally.ts'
import type { LogSettings } from './log.ts'
import { type LineIntake, QUEUE_BYTES, type Sink } from './sink.ts'

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

/** The same, with all that a thread needs to know to write lines that fit in. */
export interface WorkerWay extends WorkerLines {
  readonly settings: LogSettings
}

/** The way of one thread's lines. */
interface Way {
  readonly reader: LineReader
  /** Lines that have come as messages and could not be taken yet. What stands in the ring came before them; they are bounded by the writer. */
  messages: string[]
}

/** What comes of it makes the way of one more thread. */
export function collectLines(sink: Sink & LineIntake, tally: Tally): () => WorkerLines {
  const ways = new Set<Way>()

  /** Where there is no room they wait where they are, and what comes then is left out by who writes it. */
  function take({ reader, messages }: Way): boolean {
    let hasMoved = reader.size() > 0
    if (!reader.read(sink.room(), sink.enterBytes)) return false
    for (let next = messages[0]; next !== undefined; next = messages[0]) {
      // Where nothing else waits there will never be more room.
      if (sink.room() < Math.min(next.length, QUEUE_BYTES)) break
      messages.shift()
      reader.arrived(next)
      sink.write(next)
      hasMoved = true
    }
    return hasMoved
  }

  function drainAll(): void {
    let hasMoved = false
    let missing = 0
    for (const way of ways) {
      hasMoved = take(way) || hasMoved
      missing += way.reader.missing()
    }
    if (missing > 0) sink.tellDropped(missing)
    if (hasMoved || missing > 0) sink.flushNow()
  }

  return () => {
    sink.onRoom(drainAll)
    const shared = createLineRing()
    const way: Way = { reader: openLineReader(shared), messages: [] }
    ways.add(way)
    return {
      shared,
      drain: drainAll,
      post(line) {
        way.messages.push(line)
        drainAll()
      },
      close() {
        drainAll()
        ways.delete(way)
        const unwritten = way.reader.abandon() + way.messages.length
        way.messages = []
        tally.add(SLOT.recordsDropped, unwritten)
        const missing = unwritten + way.reader.missing()
        if (missing > 0) sink.tellDropped(missing)
      },
    }
  }
}
