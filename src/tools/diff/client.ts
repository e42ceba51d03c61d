import { connect, isIP, type Socket } from 'node:net'
import { checkServerIdentity, connect as connectTls } from 'node:tls'
import type { Target, UpstreamTls } from '../../config/snapshot.ts'
import { withoutFinalDot } from '../../http/host.ts'
import { show } from './mask.ts'
import type { Message } from './message.ts'
import { MessageReader, type Progress } from './message-reader.ts'
import type { RenderedRequest } from './request.ts'

/** One request on a raw socket: what is written and read are the bytes themselves. */

/** Somewhere to connect to. */
export interface Place extends Target {
  readonly role: 'gateway' | 'provider' | 'recording origin'
  readonly tls?: UpstreamTls | undefined
  readonly connectTimeoutMs?: number
}

export function urlOf({ scheme, authority, basePath }: Target): string {
  return `${scheme}://${authority}${basePath}`
}

/** There is nothing to compare: somebody cannot be reached, or does not answer. The text is for a person. */
export class CannotCompare extends Error {}

/** As long as nobody could mean to wait, and longer than any scheduler takes. */
export const HOLD_MS = 2_000

const CONNECT_MS = 10_000

/** However long a stream runs, this command comes to an end. */
const MAX_ANSWER_MS = 3_600_000

export interface SendOptions {
  /** What has arrived of the request at its other end, where that is known. */
  readonly arrived: Progress | undefined
  /** Counts what has come of the answer. */
  readonly answered: Progress
  /** Without a byte for this long nothing more is expected. */
  readonly silenceMs: number
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
export async function ask(place: Place, request: RenderedRequest, options: SendOptions): Promise<Answered> {
  const socket = await dial(place)
  const reader = new MessageReader(request.method, options.answered)
  const started = performance.now()
  let headMs = 0
  let wholeMs = 0
  const over = Promise.withResolvers<void>()
  const look = (): void => {
    if (headMs === 0 && reader.head !== undefined) headMs = performance.now() - started
    if (!reader.isOver) return
    if (wholeMs === 0) wholeMs = performance.now() - started
    over.resolve()
  }
  const close = (inOrder: boolean): void => {
    reader.close(inOrder)
    look()
  }
  const giveUp = (why: string): void => {
    reader.giveUp(why)
    look()
  }
  socket.on('data', (bytes: Buffer) => {
    reader.push(bytes)
    look()
  })
  socket.on('end', () => close(true))
  socket.on('error', () => close(false))
  socket.on('close', () => close(false))
  socket.setTimeout(options.silenceMs, () => giveUp(`nothing came for ${options.silenceMs / 1000} s`))
  const limit = setTimeout(() => giveUp(`it has no end within ${MAX_ANSWER_MS / 60_000} minutes`), MAX_ANSWER_MS)
  const [isRequestHeld] = await Promise.all([writePieces(socket, request, options), over.promise])
  clearTimeout(limit)
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
    if (options.arrived !== undefined && !isHeld) {
      isHeld = !(await options.arrived.reached(written.progress.made, HOLD_MS))
    }
    write(piece)
  }
  return isHeld
}

/** A plain socket, or one over TLS with verification on. */
function dial(place: Place): Promise<Socket> {
  const { connectTimeoutMs = CONNECT_MS } = place
  const socket = place.scheme === 'https' ? dialTls(place) : connect({ host: place.host, port: place.port })
  socket.setNoDelay()
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => {
      clearTimeout(limit)
      socket.destroy()
      reject(unreachable(place, reason))
    }
    const limit = setTimeout(() => fail(`no connection within ${connectTimeoutMs} ms`), connectTimeoutMs)
    const onError = (error: NodeJS.ErrnoException): void => fail(reasonOf(error))
    socket.once('error', onError)
    socket.once(place.scheme === 'https' ? 'secureConnect' : 'connect', () => {
      clearTimeout(limit)
      socket.off('error', onError)
      resolve(socket)
    })
  })
}

function unreachable(place: Place, reason: string): CannotCompare {
  const cure = place.role === 'gateway' ? cureOf(reason) : ''
  return new CannotCompare(`the ${place.role} at ${urlOf(place)} cannot be reached: ${reason}${cure}`)
}

function cureOf(reason: string): string {
  return /certificate/.test(reason)
    ? '; name the certificates to trust with --gateway-ca'
    : '; start it, or say with --gateway where it is'
}

function dialTls({ host, port, tls }: Place): Socket {
  const serverName = tls?.serverName ?? withoutFinalDot(host)
  return connectTls({
    host,
    port,
    // An IP address is checked against the certificate, but must not be sent as SNI (RFC 6066 section 3).
    ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
    checkServerIdentity: (_host, certificate) => checkServerIdentity(serverName, certificate),
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
    // Whoever is named is trusted, also the gateway's own certificate.
    ...(tls?.ca === undefined ? {} : { ca: tls.ca, allowPartialTrustChain: true }),
    ...(tls?.cert === undefined || tls.key === undefined ? {} : { cert: tls.cert, key: tls.key }),
  })
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'its name cannot be resolved',
  EAI_AGAIN: 'its name cannot be resolved',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS: is it http:// ?',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS: is it http:// ?',
}

/** Several addresses make an error without a message of its own; names in a certificate are somebody else's text. */
function reasonOf({ code = '', message }: NodeJS.ErrnoException): string {
  return REASONS[code] ?? show(message || code || 'no connection', 0, 400)
}
