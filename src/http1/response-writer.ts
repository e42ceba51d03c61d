import type { Socket } from 'node:net'
import type { OwnAnswer, ResponseSink } from '../http/downstream.ts'
import type { ResponseHead } from '../http/message.ts'
import { NO_BYTES, sendRun, sendTextAndBytes } from '../runtime/outgoing.ts'
import { encodeOwnAnswer, encodeResponseHead } from './encoder.ts'

/** Writes responses to a client's connection. */
export class ResponseWriter implements ResponseSink {
  readonly #socket: Socket
  #isHead = false

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** Of the request that is answered next. */
  begin(method: string): void {
    this.#isHead = method === 'HEAD'
  }

  sendInterim(head: ResponseHead): void {
    sendTextAndBytes(this.#socket, encodeResponseHead(head, false), NO_BYTES, 0, 0)
  }

  sendHead(head: ResponseHead, addClose: boolean, before: string, buffer: Buffer, start: number, end: number): boolean {
    return sendTextAndBytes(this.#socket, encodeResponseHead(head, addClose) + before, buffer, start, end)
  }

  sendBytes(before: string, buffer: Buffer, start: number, end: number): boolean {
    return sendRun(this.#socket, before, buffer, start, end)
  }

  sendAnswer(answer: OwnAnswer, addClose: boolean): void {
    sendTextAndBytes(this.#socket, encodeOwnAnswer(answer, this.#isHead, addClose), NO_BYTES, 0, 0)
  }

  whenFlushed(callback: () => void): void {
    const socket = this.#socket
    if (!socket.writable || socket.writableLength === 0) callback()
    else socket.write(NO_BYTES, () => callback())
  }
}
