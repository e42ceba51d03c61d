import type { Socket } from 'node:net'
import type { Message } from './message.ts'
import { MessageReader } from './message-reader.ts'
import type { Meter } from './meter.ts'
import type { RenderedRequest } from './template.ts'

/** As long as nobody could mean to wait, and longer than any scheduler takes. */
export const HOLD_MS = 2_000

export interface SendOptions {
  /** What has arrived of the request at its other end, where that is known. */
  readonly arrived: Meter | undefined
  /** Counts what has come of the answer. */
  readonly answered: Meter
  /** Without a byte for this long the answer counts as broken off. */
  readonly idleMs: number
}

export interface Answered {
  readonly message: Message
  /** From the start of the request to the end of the final head, and to the end of the answer. */
  readonly headMs: number
  readonly wholeMs: number
  /** A piece of the request was not passed on until the next one came. */
  readonly isRequestHeld: boolean
}

/** Sends one request on a connection of its own, which is closed afterwards, and reads the answer to it. */
export async function send(socket: Socket, request: RenderedRequest, options: SendOptions): Promise<Answered> {
  const reader = new MessageReader(request.method, options.answered)
  const started = performance.now()
  let headMs = 0
  let wholeMs = 0
  const over = new Promise<void>((resolve) => {
    const look = (): void => {
      if (headMs === 0 && reader.head !== undefined) headMs = performance.now() - started
      if (!reader.isOver) return
      if (wholeMs === 0) wholeMs = performance.now() - started
      resolve()
    }
    const close = (inOrder: boolean): void => {
      reader.close(inOrder)
      look()
    }
    socket.on('data', (bytes: Buffer) => {
      reader.push(bytes)
      look()
    })
    socket.on('end', () => close(true))
    socket.on('error', () => close(false))
    socket.on('close', () => close(false))
    socket.setTimeout(options.idleMs, () => socket.destroy())
  })
  const isRequestHeld = await writePieces(socket, request, options)
  await over
  socket.destroy()
  return { message: reader.message(), headMs, wholeMs, isRequestHeld }
}

/** True if a piece did not come through before the next one was sent. */
async function writePieces(socket: Socket, request: RenderedRequest, options: SendOptions): Promise<boolean> {
  const written = new MessageReader(undefined)
  const write = (bytes: Buffer): void => {
    written.push(bytes)
    if (socket.writable) socket.write(bytes)
  }
  let isHeld = false
  const [first, ...further] = request.body
  if (request.expectsContinue || first === undefined) {
    write(request.head)
    if (request.expectsContinue) await options.answered.reached(1, HOLD_MS)
    if (first !== undefined) write(first)
  } else write(Buffer.concat([request.head, first]))
  for (const piece of further) {
    if (options.arrived !== undefined && !isHeld) isHeld = !(await options.arrived.reached(written.progress, HOLD_MS))
    write(piece)
  }
  return isHeld
}
