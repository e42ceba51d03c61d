/**
 * Connections handed from one thread to another. Within a process a socket's number is good on every thread, but each of Node's
 * handles closes its number when it ends, so two of them must never have the same one. Here the kernel makes a second number, as
 * `cluster` has it do between processes: both ends of a Unix socket of libuv's IPC kind are in this process, and a handle travels
 * over it (SCM_RIGHTS). This is the only file that touches what Node does not document for that.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import net from 'node:net'
import { getSystemErrorName } from 'node:util'

/** libuv's kind of pipe that carries handles; `PipeConstants.IPC` of Node. */
const IPC = 2

/** An abstract name is no secret (`/proc/net/unix` lists it to everybody), so who connects has to say this first. */
const NONCE_BYTES = 32
/** Others that may stand there at once while we wait for our own; the one that has stood there longest makes room. */
const MAX_STRANGERS = 16
/** How often, and after which pauses, the other end comes again where it is sent away: for want of a descriptor, or in a crowd. */
const COME_AGAIN = { times: 20, afterMs: 10, maxMs: 200 } as const

/** A message is three octets below 128: what it is, and a number that its answer repeats. */
const MESSAGE_BYTES = 3
const READ_BYTES = 341 * MESSAGE_BYTES
export const MAX_NUMBER = 0x3fff

/** What `joinPassage` needs, on the other thread: plain data. */
export interface PassageAddress {
  readonly path: string
  readonly nonce: Uint8Array
}

interface PipeHandle {
  readonly fd: number
  open(fd: number): number
  /** Of the message that is being read. */
  pendingHandle?: unknown
  /** A number: 0, or what has gone wrong. Where no request is given, its own for a write that goes on. */
  writeUtf8String(request: WriteRequest | null, text: string, handle: unknown): number | WriteRequest | null
}
type PipeClass = new (kind: number) => PipeHandle
interface WriteRequest {
  oncomplete?: (status: number) => void
}

const handleOf = (of: net.Socket | net.Server): unknown => (of as unknown as { _handle: unknown })._handle

export interface PassageEvents {
  /** The other end is there: now `send` may be called. */
  onJoined(): void
  onAnswer(kind: number, number: number): void
  /** A message with a connection could not be sent: `ETOOMANYREFS`, where too many are on their way in the whole system. */
  onUnsent(number: number, error: string): void
  /** The other end has gone, with every answer that it has given heard before; called once, unless `close` was. */
  onEnd(): void
  /** It cannot be had: no abstract sockets, or none that we may use. */
  onUnavailable(reason: string): void
}

export interface Passage {
  readonly address: PassageAddress
  /** Sends a message, with the connection if there is one. The caller keeps that open until the answer: only then the other end has it. */
  send(kind: number, number: number, accepted: net.Socket | undefined): void
  close(): void
}

/** Why handles cannot be passed on this system at all; undefined: perhaps they can. */
export function whyNoPassage(): string | undefined {
  return process.platform === 'linux' ? undefined : `${process.platform} has no abstract Unix sockets`
}

/** The end that gives connections away. It listens until the other end has come. */
export function openPassage(events: PassageEvents): Passage {
  const address = { path: `\0fluxgate-${randomBytes(16).toString('hex')}`, nonce: randomBytes(NONCE_BYTES) }
  const candidates = new Set<net.Socket>()
  let joined: { readonly socket: net.Socket; readonly pipe: PipeHandle } | undefined
  let isClosed = false
  const server = net.createServer({ pauseOnConnect: true }, (accepted) => {
    if (joined !== undefined || isClosed) {
      accepted.destroy()
      return
    }
    for (const oldest of candidates) {
      if (candidates.size < MAX_STRANGERS) break
      candidates.delete(oldest)
      oldest.destroy()
    }
    meet(accepted)
  })

  function end(): void {
    if (isClosed) return
    close()
    events.onEnd()
  }

  function close(): void {
    isClosed = true
    server.close()
    for (const candidate of candidates) candidate.destroy()
    joined?.socket.destroy()
  }

  function meet(accepted: net.Socket): void {
    const pipe = openOver(accepted)
    const said: Buffer[] = []
    const socket: net.Socket = readingSocket(pipe, {}, (bytes) => {
      if (joined?.socket === socket) {
        eachMessage(bytes, events.onAnswer)
        return
      }
      said.push(Buffer.from(bytes))
      const all = Buffer.concat(said)
      if (all.length < NONCE_BYTES) return
      if (all.length > NONCE_BYTES || !timingSafeEqual(all, address.nonce)) {
        socket.destroy()
        return
      }
      candidates.delete(socket)
      joined = { socket, pipe }
      server.close()
      for (const candidate of candidates) candidate.destroy()
      events.onJoined()
    })
    candidates.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      candidates.delete(socket)
      if (joined?.socket === socket) end()
    })
  }

  server.on('error', (error) => {
    if (isClosed) return
    close()
    events.onUnavailable(`a Unix socket between threads cannot be listened on: ${error.message}`)
  })
  server.listen(address.path)
  // What holds the process is the socket that clients come to.
  server.unref()
  return {
    address,
    send(kind, number, accepted) {
      if (joined === undefined) return
      const handle = accepted === undefined ? undefined : (handleOf(accepted) ?? undefined)
      const message = messageText(kind, number)
      if (handle === undefined) joined.socket.write(message, 'latin1')
      else sendWith(joined.pipe, message, handle, (error) => events.onUnsent(number, error))
    },
    close,
  }
}

/**
 * A second handle, which can carry others, for the number of one that cannot: a server makes none of the former kind. The first
 * is never read and never closed, for a number must not be closed twice: it stays behind, a few hundred bytes for each time that
 * a thread starts.
 */
function openOver(accepted: net.Socket): PipeHandle {
  const first = handleOf(accepted) as PipeHandle
  const pipe = new (first.constructor as PipeClass)(IPC)
  pipe.open(first.fd)
  ;(accepted as unknown as { _handle: null })._handle = null
  return pipe
}

/** A socket over a handle, whose bytes come in the very call in which the handle that came with them can be had. */
function readingSocket(pipe: PipeHandle, options: object, onBytes: (bytes: Buffer) => void): net.Socket {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  const callback = (length: number): boolean => {
    onBytes(buffer.subarray(0, length))
    return true
  }
  return new net.Socket({
    handle: pipe,
    onread: { buffer, callback },
    ...options,
  } as unknown as net.SocketConstructorOpts)
}

/**
 * Messages as they come. A read ends with the message that a handle belongs to, for the kernel glues nothing behind one; the room
 * for a read is a whole number of messages, so that none is cut.
 */
function eachMessage(bytes: Buffer, take: (kind: number, number: number, isLast: boolean) => void): void {
  for (let at = 0; at + MESSAGE_BYTES <= bytes.length; at += MESSAGE_BYTES) {
    take(bytes[at]!, bytes[at + 1]! | (bytes[at + 2]! << 7), at + MESSAGE_BYTES === bytes.length)
  }
}

function messageText(kind: number, number: number): string {
  return String.fromCharCode(kind, number & 0x7f, number >> 7)
}

/** Past the stream, which carries no handles. Where the other end has gone, the end of the stream says so. */
function sendWith(pipe: PipeHandle, message: string, handle: unknown, onFailed: (error: string) => void): void {
  const check = (status: number): void => {
    if (status >= 0) return
    const name = getSystemErrorName(status)
    if (!ENDS.has(name)) onFailed(name)
  }
  const given = newRequest()
  if (given !== null) given.oncomplete = check
  const result = pipe.writeUtf8String(given, message, handle)
  if (typeof result === 'number') check(result)
  else if (result !== null) result.oncomplete = check
}

const ENDS: ReadonlySet<string> = new Set(['EPIPE', 'ECONNRESET', 'ECANCELED', 'EBADF', 'ENOTCONN'])

/** `undefined`: not known yet. `null`: a handle makes its own request (26.10 and later; earlier ones end the process if there is none). */
let requestClass: (new () => WriteRequest) | null | undefined

/** A request for a write. No module exports its class: a socket makes one for each write, and this one's goes nowhere. */
function newRequest(): WriteRequest | null {
  if (requestClass === undefined) {
    const decoy = {
      writeLatin1String(request: WriteRequest | null): number {
        requestClass = request === null ? null : (request.constructor as new () => WriteRequest)
        return -1
      },
      close(): void {},
    }
    const socket = new net.Socket({ handle: decoy, manualStart: true } as unknown as net.SocketConstructorOpts)
    socket.on('error', () => {})
    socket.write('x', 'latin1')
    socket.destroy()
  }
  return requestClass ? new requestClass() : null
}

let pipeClass: PipeClass | undefined

/** As above: a socket makes one to connect with, and this one is never connected. */
function pipes(): PipeClass {
  if (pipeClass !== undefined) return pipeClass
  const socket = net.connect({ path: `\0fluxgate-${randomBytes(16).toString('hex')}` })
  socket.on('error', () => {})
  pipeClass = (handleOf(socket) as PipeHandle).constructor as PipeClass
  socket.destroy()
  return pipeClass
}

export interface JoinedEvents {
  /** It has come to the other end, which may still send it away; then it comes again. */
  onJoined(): void
  /** A message; `accepted` is the connection that came with it, undefined also where the process has no descriptor left for it. */
  onMessage(kind: number, number: number, accepted: net.Socket | undefined): void
  /** The other end has gone, or cannot be reached; not after `close`. */
  onEnd(error: string | undefined): void
}

export interface Joined {
  answer(kind: number, number: number): void
  /** Takes nothing more; what has been answered still goes out. */
  close(): void
}

/** The end that takes connections over. They are paused: nothing has been read of them. */
export function joinPassage({ path, nonce }: PassageAddress, events: JoinedEvents): Joined {
  let isClosed = false
  /** Something has come: the other end knows us. */
  let isKnown = false
  let visits = 0
  let socket = visit()

  function take(pipe: PipeHandle, bytes: Buffer): void {
    const handle = pipe.pendingHandle ?? undefined
    pipe.pendingHandle = undefined
    const accepted = handle === undefined ? undefined : pausedSocket(handle)
    isKnown = true
    if (isClosed) accepted?.destroy()
    else {
      eachMessage(bytes, (kind, number, isLast) => events.onMessage(kind, number, isLast ? accepted : undefined))
    }
  }

  function visit(): net.Socket {
    const pipe = new (pipes())(IPC)
    const visitor = readingSocket(pipe, { manualStart: true }, (bytes) => take(pipe, bytes))
    let fault: string | undefined
    visits++
    visitor.on('error', ({ message }) => {
      fault = message
    })
    let hasConnected = false
    visitor.on('close', () => {
      if (isClosed) return
      // Where nothing is listened on, nothing will be.
      if (!hasConnected || isKnown || visits > COME_AGAIN.times) events.onEnd(fault)
      else setTimeout(comeAgain, Math.min(visits * COME_AGAIN.afterMs, COME_AGAIN.maxMs))
    })
    visitor.connect({ path }, () => {
      hasConnected = true
      visitor.write(nonce)
      if (visits === 1) events.onJoined()
    })
    return visitor
  }

  function comeAgain(): void {
    if (!isClosed) socket = visit()
  }

  return {
    answer: (kind, number) => void socket.write(messageText(kind, number), 'latin1'),
    close() {
      isClosed = true
      socket.destroySoon()
    },
  }
}

function pausedSocket(handle: unknown): net.Socket {
  return new net.Socket({ handle, allowHalfOpen: true, pauseOnCreate: true } as unknown as net.SocketConstructorOpts)
}
