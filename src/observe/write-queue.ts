import { writeSync } from 'node:fs'

/** Buffers on their way into a descriptor that may take all, a part or nothing of them, and may break. */

/** What came of an attempt: everything is out, a part of it, nothing since there is no room, nothing since it failed. */
export type Attempt = 'done' | 'partly' | 'full' | 'failed'

export interface WriteQueue {
  /** Bytes that are not out yet. */
  bytes(): number
  push(buffer: Buffer): void
  /** Pushes and writes; the memory is the caller's again afterwards, what is left of it was copied. */
  writeBorrowed(buffer: Buffer): Attempt
  /** Writes what the descriptor takes. Whatever happens, the next attempt goes on at the very next byte. */
  write(): Attempt
}

export function createWriteQueue(fd: number): WriteQueue {
  let buffers: Buffer[] = []
  let bytes = 0
  /** Bytes of the first buffer that are out. */
  let written = 0

  function push(buffer: Buffer): void {
    buffers.push(buffer)
    bytes += buffer.length
  }

  function write(): Attempt {
    let sent = 0
    try {
      for (; sent < buffers.length; sent++) {
        const buffer = buffers[sent]!
        const length = buffer.length - written
        const count = writeSync(fd, buffer, written, length)
        bytes -= count
        written += count
        // Not at once again: what took a part of it is full now, and would say so with an exception.
        if (count < length) return 'partly'
        written = 0
      }
      return 'done'
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? 'full' : 'failed'
    } finally {
      if (sent > 0) buffers = buffers.slice(sent)
    }
  }

  return {
    bytes: () => bytes,
    push,
    write,
    writeBorrowed(buffer) {
      push(buffer)
      const result = write()
      if (buffers.length > 0) buffers[buffers.length - 1] = Buffer.from(buffer)
      return result
    },
  }
}
