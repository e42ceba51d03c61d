import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'

const HIGH_WATER_MARK = 8_192

/**
 * As much of a socket as a connection uses. What is written to it is taken at once; while it is choked, as libuv does it: by
 * reference, until `drain`.
 */
export class FakeSocket extends EventEmitter {
  written = ''
  writable = true
  writableLength = 0
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

  drain(): void {
    this.isChoked = false
    this.writableLength = 0
    for (const { bytes, written } of this.#waiting.splice(0)) {
      this.written += bytes.toString('latin1')
      written?.()
    }
    this.emit('drain')
  }

  end(): void {
    this.writable = false
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
    queueMicrotask(() => this.emit('close'))
  }

  resetAndDestroy(): void {
    this.wasReset = true
    this.destroy()
  }
}
