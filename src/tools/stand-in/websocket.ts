/** WebSocket connections of the stand-in, one after the other message of a client answered at the pace of a model. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { FrameReader, frame } from './frames.ts'
import { type Session, sessionFor } from './sessions.ts'

/** RFC 6455 section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const OFFERED_KEY = 'openai-insecure-api-key.'

export interface Visitor {
  readonly request: IncomingMessage
  readonly socket: Duplex
  /** What has come behind the head. */
  readonly first: Buffer
  readonly path: string
  readonly query: URLSearchParams
  /** It has shown the provider's key in one of the places where any request may have it. */
  readonly hasKey: boolean
}

/** Answers an upgrade; resolves when nothing more will happen on its connection. */
export async function serveWebSocket(visitor: Visitor, providerKey: string, tokenDelayMs: number): Promise<void> {
  const { request, socket, first, path, query } = visitor
  socket.on('error', () => {}) // A write that meets a closed connection; the end of what is read tells the same.
  const offers = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((each) => each.trim())
  const key = request.headers['sec-websocket-key']
  if (!visitor.hasKey && !offers.includes(OFFERED_KEY + providerKey)) return refuse(socket, '401 Unauthorized')
  if (request.headers.upgrade?.toLowerCase() !== 'websocket' || key === undefined)
    return refuse(socket, '400 Bad Request')
  const protocol = offers.find((each) => each !== '' && !each.startsWith(OFFERED_KEY))
  const accept = createHash('sha1')
    .update(key + GUID)
    .digest('base64')
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade']
  lines.push(
    `Sec-WebSocket-Accept: ${accept}`,
    ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
  )
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  const left = new AbortController()
  socket.once('close', () => left.abort())
  if (first.length > 0) socket.unshift(first)
  try {
    await converse(socket, sessionFor(path, query), tokenDelayMs, left.signal)
  } catch {
    // The client has left in the middle of an answer.
  }
  socket.end()
}

async function converse(socket: Duplex, session: Session | undefined, tokenDelayMs: number, left: AbortSignal) {
  const reader = new FrameReader()
  for (const { text } of session?.greeting ?? []) socket.write(frame('text', Buffer.from(text)))
  for await (const bytes of socket) {
    for (const { kind, payload } of reader.read(bytes as Buffer)) {
      if (kind === 'ping') socket.write(frame('pong', payload))
      else if (kind === 'close') {
        socket.write(frame('close', payload))
        return
      } else if (session === undefined) socket.write(frame(kind, payload))
      else {
        for (const { text, isToken } of session.answer(payload)) {
          if (isToken && tokenDelayMs > 0) await delay(tokenDelayMs, undefined, { signal: left })
          if (!socket.write(frame('text', Buffer.from(text)))) await once(socket, 'drain', { signal: left })
        }
      }
    }
  }
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
