import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'

const HIGH_WATER_MARK = 8_192

/**
 * As much of a socket as a connection uses. What is written to it is taken at once; while it is choked, as libuv does it: by
 * reference, until `drain` or, byte by byte, `take`. Every write is called back, whatever happens to the socket.
 */
export class FakeSocket extends EventEmitter {
  written = ''
  writable = true
  writableLength = 0
  writableEnded = false
  writableFinished = false
  destroyed = false
  isPaused = false
  wasReset = false
  /** Takes nothing until `drain`. */
  isChoked = false
  #waiting: { bytes: Buffer; written: (() => void) | undefined }[] = []

  get asSocket(): Socket {
    return this as unknown as Socket
  }

  write(bytes: Buffer, written?: () => void): boolean {
    if (this.isChoked) {
      this.#waiting.push({ bytes, written })
      this.writableLength += bytes.length
      return this.writableLength < HIGH_WATER_MARK
    }
    this.written += bytes.toString('latin1')
    written?.()
    return true
  }

  /** Bytes of all memory that what waits keeps alive. */
  get heldBytes(): number {
    return [...new Set(this.#waiting.map(({ bytes }) => bytes.buffer))].reduce((sum, each) => sum + each.byteLength, 0)
  }

  drain(): void {
    this.isChoked = false
    this.take(this.writableLength)
  }

  /** Takes a part of what waits. A write is done when its last byte is taken. */
  take(length: number): void {
    let left = length
    while (left > 0 && this.#waiting.length > 0) {
      const first = this.#waiting[0]!
      const count = Math.min(left, first.bytes.length)
      this.written += first.bytes.toString('latin1', 0, count)
      this.writableLength -= count
      left -= count
      if (count < first.bytes.length) first.bytes = first.bytes.subarray(count)
      else this.#waiting.shift()!.written?.()
    }
  }

  end(): void {
    this.writable = false
    this.writableEnded = true
    this.writableFinished = true
    queueMicrotask(() => this.emit('finish'))
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.writable = false
    queueMicrotask(() => {
      this.writableLength = 0
      for (const { written } of this.#waiting.splice(0)) written?.()
      this.emit('close')
    })
  }

  destroySoon(): void {
    this.end()
    this.destroy()
  }

  resetAndDestroy(): void {
    this.wasReset = true
    this.destroy()
  }
}
