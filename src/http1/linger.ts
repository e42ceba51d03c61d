import type { Socket } from 'node:net'
import { Deadline } from '../runtime/deadline.ts'

/** nginx's figures: how long what a client still sends is dropped, in all and in silence. */
const LINGER_MS = 30_000
const LINGER_SILENCE_MS = 5_000

/**
 * A lingering close (RFC 9112 section 9.6): we say FIN, and what the client still sends is read and dropped until it ends too.
 * A client that is busy uploading gets to read its answer that way; closing at once would reset it away.
 */
export class Linger {
  readonly #socket: Socket
  readonly #close: () => void
  readonly #silence: Deadline
  readonly #end: Deadline

  constructor(socket: Socket, close: () => void) {
    this.#socket = socket
    this.#close = close
    this.#silence = new Deadline(close)
    this.#end = new Deadline(close)
    this.#silence.arm(LINGER_SILENCE_MS)
    this.#end.arm(LINGER_MS)
    socket.end()
  }

  /** The client has sent something. */
  touch(): void {
    this.#silence.touch()
  }

  /** The client has ended: nothing more to drop, only our last bytes to deliver. */
  peerEnded(): void {
    if (this.#socket.writableFinished) this.#close()
    else this.#socket.once('finish', this.#close)
  }

  stop(): void {
    this.#silence.close()
    this.#end.close()
  }
}
