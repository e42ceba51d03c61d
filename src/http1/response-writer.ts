import type { Socket } from 'node:net'
import type { OwnAnswer, ResponseSink } from '../http/downstream.ts'
import type { ResponseHead } from '../http/message.ts'
import { NO_BYTES, Outlet } from '../runtime/outlet.ts'
import { closing, encodeOwnAnswer, encodeResponseHead } from './encoder.ts'

/** Writes responses to a client's connection. */
export class ResponseWriter implements ResponseSink {
  readonly #socket: Socket
  readonly #outlet: Outlet
  #isHead = false

  constructor(socket: Socket, drained: () => void) {
    this.#socket = socket
    this.#outlet = new Outlet(socket, drained)
  }

  /** Of the request that is answered next. */
  begin(method: string): void {
    this.#isHead = method === 'HEAD'
  }

  sendInterim(head: ResponseHead): boolean {
    return this.#outlet.sendTextAndBytes(encodeResponseHead(head, false), NO_BYTES, 0, 0)
  }

  sendHead(head: ResponseHead, addClose: boolean, before: string, buffer: Buffer, start: number, end: number): boolean {
    const { repeated } = head
    if (repeated === undefined) {
      return this.#outlet.sendTextAndBytes(encodeResponseHead(head, addClose) + before, buffer, start, end)
    }
    if (!addClose && before === '') return this.#outlet.sendPieces(repeated, end - start)
    const text = repeated.text()
    const whole = addClose ? closing(text) : text
    return this.#outlet.sendTextAndBytes(whole + before, buffer, start, end)
  }

  sendBytes(before: string, buffer: Buffer, start: number, end: number): boolean {
    return this.#outlet.sendRun(before, buffer, start, end)
  }

  sendAnswer(answer: OwnAnswer, addClose: boolean): void {
    this.#outlet.sendTextAndBytes(encodeOwnAnswer(answer, this.#isHead, addClose), NO_BYTES, 0, 0)
  }

  sendEnd(done: () => void): void {
    this.#socket.end((error?: Error | null) => {
      if (!error) done()
    })
  }

  get unsentBytes(): number {
    return this.#outlet.waitingBytes
  }

  whenFlushed(callback: () => void): void {
    this.#outlet.whenFlushed(callback)
  }
}
