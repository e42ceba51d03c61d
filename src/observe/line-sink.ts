import { monotonicMs } from '../runtime/clock.ts'
import { SLOT, type Tally } from '../workers/tally.ts'
import type { LineStream, LineTarget } from './line-target.ts'
import { EXIT_FLUSH_MS, EXIT_POLL_MS, type LineIntake, QUEUE_BYTES, type Sink } from './sink.ts'

export interface LineSinkOptions {
  /** The line that stands where lines are missing; empty: none. */
  readonly describeDropped: (count: number) => string
  /** Where records that are left out are counted. */
  readonly tally: Tally
}

/**
 * Lines on their way to a function or a stream of the program. They leave at the end of the turn of the event loop in which they
 * were written, so that nothing of the program runs in the middle of an exchange. A stream that is full costs a bounded queue and
 * then lines, which are counted; what a function throws is thrown again where nothing of the gateway is on the stack.
 */
export function createLineSink(target: LineTarget, { describeDropped, tally }: LineSinkOptions): Sink & LineIntake {
  const deliver = typeof target === 'function' ? callWith(target) : undefined
  const stream = typeof target === 'function' ? undefined : target
  let lines: string[] = []
  let length = 0
  let dropped = 0
  let isFull = false
  let isPlanned = false
  let callForMore: (() => void) | undefined

  function append(line: string, records: number): void {
    if (dropped > 0 || length + line.length > QUEUE_BYTES) {
      dropped++
      tally.add(SLOT.recordsDropped, records)
    } else enter(line)
    plan()
  }

  function enter(text: string): void {
    if (text === '') return
    lines.push(text)
    length += text.length
  }

  function plan(): void {
    if (isPlanned || isFull) return
    isPlanned = true
    setImmediate(() => {
      isPlanned = false
      attempt()
    })
  }

  function attempt(): void {
    if (isFull) return
    send()
    if (dropped === 0 || isFull) return
    enter(describeDropped(dropped))
    dropped = 0
    send()
  }

  function send(): void {
    const batch = lines
    lines = []
    length = 0
    if (deliver !== undefined) for (const text of batch) for (const line of text.split('\n').slice(0, -1)) deliver(line)
    else if (batch.length > 0 && stream!.writable && !stream!.write(batch.join(''))) {
      isFull = true
      onceFree(stream!, goOn)
    }
  }

  function goOn(): void {
    isFull = false
    attempt()
    callForMore?.()
  }

  return {
    write: (line) => append(line, 1),
    writeSoon: (line) => append(line, 0),
    flushNow: attempt,
    async flush(limitMs = EXIT_FLUSH_MS) {
      const deadline = monotonicMs() + limitMs
      for (;;) {
        attempt()
        callForMore?.()
        attempt()
        if (!isFull || monotonicMs() >= deadline) return
        await new Promise((resolve) => setTimeout(resolve, EXIT_POLL_MS))
      }
    },
    room: () => (dropped > 0 ? 0 : Math.max(0, QUEUE_BYTES - length)),
    enterBytes: joinPieces((text) => {
      enter(text)
      plan()
    }),
    tellDropped(count) {
      dropped += count
      plan()
    },
    onRoom(call) {
      callForMore = call
    },
  }
}

const LINE_FEED = 0x0a

/** Lines of another thread come in pieces, which end anywhere, in the middle of a character too. */
function joinPieces(take: (lines: string) => void): (piece: Buffer) => void {
  let pieces: Buffer[] = []
  return (piece) => {
    pieces.push(Buffer.from(piece))
    if (piece.at(-1) !== LINE_FEED) return
    take(Buffer.concat(pieces).toString())
    pieces = []
  }
}

/** It may also never be. */
function onceFree(stream: LineStream, call: () => void): void {
  const free = (): void => {
    stream.off('drain', free)
    stream.off('close', free)
    call()
  }
  stream.once('drain', free)
  stream.once('close', free)
}

function callWith(target: (line: string) => void): (line: string) => void {
  return (line) => {
    try {
      target(line)
    } catch (error) {
      setImmediate(() => {
        throw error
      })
    }
  }
}
