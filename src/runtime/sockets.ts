import net from 'node:net'
import type tls from 'node:tls'
import { BULK_THRESHOLD } from './read-buffers.ts'

/**
 * Sockets that read into memory of ours (`onread`), so that a read allocates nothing.
 * `net.connect` and `tls.connect` offer that; an accepted socket does not, so its handle is moved into a socket that does.
 * This is the only file that touches what Node does not document.
 */
export interface Reader {
  /** Bytes 0 to `length` of `buffer` have arrived; valid during the call only. False pauses reading until `resume()`. */
  onBytes(buffer: Buffer, length: number): boolean
  /** Where the next read goes. Asked after every read. */
  nextReadBuffer(): Buffer
}

interface OnRead {
  buffer: () => Buffer
  callback: (length: number, buffer: Uint8Array) => boolean
  /** What `buffer` has returned last: where the next read goes. */
  current: Buffer
}

function onReadOf(reader: Reader): OnRead {
  const onRead: OnRead = {
    buffer: () => {
      onRead.current = reader.nextReadBuffer()
      return onRead.current
    },
    callback: (length, buffer) => reader.onBytes(buffer as Buffer, length),
    current: NOT_YET,
  }
  return onRead
}

const NOT_YET = Buffer.alloc(0)

/** Where Node says how much has been read; undefined where it does not say so any more. */
const STREAM_STATE = readStreamState()

function readStreamState(): { readonly counts: Int32Array; readonly readBytes: number } | undefined {
  try {
    const { binding } = process as unknown as { binding(name: string): Record<string, unknown> }
    const { streamBaseState: counts, kReadBytesOrError: readBytes } = binding('stream_wrap')
    return counts instanceof Int32Array && typeof readBytes === 'number' ? { counts, readBytes } : undefined
  } catch {
    return undefined
  }
}

interface ReadingHandle {
  reading: boolean
  onread: ((this: unknown, bytes?: unknown) => unknown) | undefined
  readStop?: () => number
}

/**
 * What Node does for a socket with `onread` when bytes have come, without what it does for any other: half of its time there (measured).
 * Ends and errors go its way.
 */
function readThinly<S extends net.Socket>(socket: S, onRead: OnRead, reader: Reader): S {
  const handle = (socket as unknown as WithHandle)._handle as ReadingHandle | null
  const through = handle?.onread
  if (STREAM_STATE === undefined || handle === null || typeof through !== 'function' || onRead.current === NOT_YET)
    return socket
  const { counts, readBytes } = STREAM_STATE
  handle.onread = (bytes) => {
    const length = counts[readBytes]!
    if (length <= 0 || (socket as unknown as WithHandle)._handle !== handle) return through.call(handle, bytes)
    const { current } = onRead
    const goesOn = reader.onBytes(current, length)
    const next = onRead.buffer()
    if (!goesOn) {
      handle.reading = false
      if ((socket as unknown as WithHandle)._handle === handle) handle.readStop?.()
    }
    // Undefined: where it was.
    return next === current ? undefined : next
  }
  return socket
}

/** When so many bytes wait to be written, whoever sends them holds back: as soon as a write from a bulk buffer waits. */
export const WRITE_HIGH_WATER_BYTES = BULK_THRESHOLD

type WithHandle = { _handle: unknown }

/** Of a server that listens, for a process that is to share its socket. */
export function descriptorOf(server: net.Server): number | undefined {
  const handle = (server as unknown as WithHandle)._handle as { fd?: number } | null
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined
}

/**
 * Takes over a socket accepted by a server with `pauseOnConnect`. The result allows half-open: its owner sees 'end' and
 * decides. Where handles cannot be moved, the accepted socket itself is read by 'data' events.
 */
export function adoptAccepted(accepted: net.Socket, reader: Reader): net.Socket {
  const handle = (accepted as unknown as WithHandle)._handle
  if (typeof (handle as { useUserBuffer?: unknown } | null)?.useUserBuffer !== 'function')
    return readByEvents(accepted, reader)
  return moveHandle(accepted, reader, true)
}

/** The old socket is left without a handle: it is nobody's, and does nothing any more. */
function moveHandle(from: net.Socket, reader: Reader, allowHalfOpen: boolean): net.Socket {
  const handle = (from as unknown as WithHandle)._handle
  ;(from as unknown as WithHandle)._handle = null
  const onread = onReadOf(reader)
  const options = { handle, onread, allowHalfOpen, highWaterMark: WRITE_HIGH_WATER_BYTES }
  return readThinly(new net.Socket(options as net.SocketConstructorOpts), onread, reader)
}

function readByEvents(accepted: net.Socket, reader: Reader): net.Socket {
  accepted.allowHalfOpen = true
  return readEvents(accepted, reader)
}

function readEvents(socket: net.Socket, reader: Reader): net.Socket {
  // A chunk belongs to nobody else: it may be changed in place and written from like any other read buffer.
  socket.on('data', (chunk: Buffer) => {
    if (!reader.onBytes(chunk, chunk.length)) socket.pause()
  })
  socket.resume()
  return socket
}

/** Of TLS over a socket that was there before: that socket. */
function under(socket: net.Socket): net.Socket | undefined {
  const { _parent } = socket as unknown as { _parent?: unknown }
  return _parent instanceof net.Socket ? _parent : undefined
}

interface ResettableHandle {
  close?: (closed?: () => void) => void
  reset?: (closed?: () => void) => number
  /** Below TLS: the connection itself. */
  readonly _parent?: ResettableHandle
}

/** A Unix socket knows no reset: there, all that can be done is to close it. */
export function resetSocket(socket: net.Socket): void {
  const lower = under(socket)
  if (lower !== undefined) {
    resetSocket(lower)
    socket.destroy()
    return
  }
  const handle = (socket as unknown as { _handle?: ResettableHandle | null })._handle
  // While its FIN is on its way libuv resets nothing, and Node takes the handle for closed all the same: its descriptor would leak.
  const isEnding = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0
  if (!isEnding && (!handle || typeof handle.reset === 'function')) {
    socket.resetAndDestroy()
    return
  }
  if (!isEnding) closeByReset(handle?._parent)
  socket.destroy()
}

/** TLS is only destroyed, and closes what is below it. */
function closeByReset(below: ResettableHandle | undefined): void {
  if (typeof below?.reset === 'function') below.close = (closed) => void below.reset!(closed)
}

/** Calls back when all that was written before its end has left. */
export function whenWritten(socket: net.Socket, written: () => void): void {
  if (socket.writableFinished) written()
  else socket.once('finish', written)
}

/** Whom to connect to: an IP address and a port, or the path of a Unix socket if that is not empty. */
export interface Peer {
  readonly host: string
  readonly port: number
  readonly path: string
}

/**
 * `node:tls`, 4 MB on each thread, which a gateway does without where every upstream is in the clear. Whoever will need it
 * asks once before there is traffic, for loading it takes milliseconds.
 */
export function loadTls(): typeof tls {
  return process.getBuiltinModule('node:tls')
}

const KEPT_OPEN = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
  highWaterMark: WRITE_HIGH_WATER_BYTES,
}

function connectOptions({ host, port, path }: Peer): net.NetConnectOpts {
  return path === '' ? { host, port, ...KEPT_OPEN } : { path, ...KEPT_OPEN }
}

export function connectTcp(peer: Peer, reader: Reader): net.Socket {
  const onread = onReadOf(reader)
  return readThinly(net.connect({ ...connectOptions(peer), onread } as net.NetConnectOpts), onread, reader)
}

/** TLS sessions with one server, whose certificate is always checked against the same. */
export interface SessionStore {
  /** What a handshake may resume. */
  take(): Buffer | undefined
  /** What the server, whose certificate has been checked, gives for another time; `isResumed`: it was checked when that one began. */
  keep(session: Buffer, isResumed: boolean): void
}

/** `servername`: a name or an address that the certificate must carry. */
export function connectTls(
  peer: Peer,
  servername: string,
  secureContext: tls.SecureContext,
  alpn: readonly string[],
  reader: Reader,
  sessions?: SessionStore,
): tls.TLSSocket {
  const onread = onReadOf(reader)
  const options = { ...connectOptions(peer), ...tlsOptions(servername, secureContext, alpn, sessions), onread }
  const socket = readThinly(loadTls().connect(options as unknown as tls.ConnectionOptions), onread, reader)
  return keepSessions(socket, sessions)
}

/** Node tells of a session only once the certificate has been checked. */
function keepSessions(socket: tls.TLSSocket, sessions: SessionStore | undefined): tls.TLSSocket {
  if (sessions !== undefined) {
    socket.on('session', (session: Buffer) => sessions.keep(session, socket.isSessionReused()))
  }
  return socket
}

function tlsOptions(
  servername: string,
  secureContext: tls.SecureContext,
  alpn: readonly string[],
  sessions: SessionStore | undefined,
): tls.ConnectionOptions {
  const session = sessions?.take()
  return {
    ...(session !== undefined && { session }),
    // An IP address is checked against the certificate, but must not be sent as SNI (RFC 6066 section 3).
    ...(net.isIP(servername) === 0 ? { servername } : {}),
    checkServerIdentity: (_host, certificate) => loadTls().checkServerIdentity(servername, certificate),
    rejectUnauthorized: true,
    secureContext,
    ALPNProtocols: [...alpn],
  }
}

/** Connects to a proxy. Read it by 'data' events until its tunnel is there; then one of the two below takes it over. */
export function connectProxy(peer: Peer): net.Socket {
  return net.connect(connectOptions(peer))
}

/** Nothing is read any more, from now on and not only after the next read: what comes belongs to the tunnel. */
export function stopReading(socket: net.Socket): void {
  const handle = (socket as unknown as { _handle?: { reading: boolean; readStop?: () => number } | null })._handle
  socket.pause()
  if (typeof handle?.readStop !== 'function') return
  handle.reading = false
  handle.readStop()
}

/** A tunnel in the clear, once `stopReading` has been called and its callback has returned. */
export function enterTunnel(proxied: net.Socket, reader: Reader): net.Socket {
  const handle = (proxied as unknown as WithHandle)._handle
  if (typeof (handle as { useUserBuffer?: unknown } | null)?.useUserBuffer !== 'function')
    return readEvents(proxied, reader)
  return moveHandle(proxied, reader, false)
}

/**
 * TLS through a tunnel, once `stopReading` has been called and its callback has returned. `tls.connect` takes no `onread` for a
 * socket that is there already, so what it would do is done here.
 */
export function enterTlsTunnel(
  proxied: net.Socket,
  servername: string,
  secureContext: tls.SecureContext,
  alpn: readonly string[],
  reader: Reader,
  sessions?: SessionStore,
): tls.TLSSocket {
  const socket = loadTls().connect({
    socket: proxied,
    ...tlsOptions(servername, secureContext, alpn, sessions),
    ...KEPT_OPEN,
  } as tls.ConnectionOptions)
  if (!readOwnMemory(socket, reader)) readEvents(socket, reader)
  return keepSessions(socket, sessions)
}

/** Reads a socket that was accepted paused where it is, until `stopReading`. */
export function readAccepted(accepted: net.Socket, reader: Reader): void {
  if (readOwnMemory(accepted, reader)) accepted.resume()
  else readEvents(accepted, reader)
}

/**
 * TLS over an accepted connection of which `first` has been read, once `stopReading` has been called and its callback has returned.
 * What becomes of the handshake is told by the server's events: `secureConnection`, `tlsClientError`.
 */
export function enterServerTls(accepted: net.Socket, first: Buffer, server: tls.Server): void {
  // A client that ends in the middle of its handshake has gone.
  accepted.allowHalfOpen = false
  accepted.unshift(first)
  // As documented: connections may be given to a server that does not listen.
  server.emit('connection', accepted)
}

/** Which connection the socket of such an event stands on. */
export function acceptedUnder(secured: tls.TLSSocket): net.Socket | undefined {
  return under(secured)
}

/**
 * From now on the socket of a `secureConnection` reads into the reader's memory; within that event, nothing has been read. It
 * allows half-open, like any other.
 */
export function readSecured(secured: tls.TLSSocket, reader: Reader): void {
  secured.allowHalfOpen = true
  if (!readOwnMemory(secured, reader)) readEvents(secured, reader)
}

/** The members of a socket in which `onread` stands have symbols for names, which are the same for all sockets. */
let readMembers: readonly (symbol | undefined)[] | undefined

function findReadMembers(socket: net.Socket): readonly (symbol | undefined)[] {
  const symbols = new Map(Object.getOwnPropertySymbols(socket).map((symbol) => [symbol.description, symbol]))
  return ['kBuffer', 'kBufferGen', 'kBufferCb'].map((name) => symbols.get(name))
}

/** What `onread` does in the constructor of a socket. */
function readOwnMemory(socket: net.Socket, reader: Reader): boolean {
  readMembers ??= findReadMembers(socket)
  const [current, next, take] = readMembers
  const handle = (socket as unknown as { _handle?: { useUserBuffer?: (buffer: Buffer) => void } | null })._handle
  if (current === undefined || next === undefined || take === undefined) return false
  if (typeof handle?.useUserBuffer !== 'function') return false
  const onRead = onReadOf(reader)
  const buffer = onRead.buffer()
  Object.assign(socket, { [current]: buffer, [next]: onRead.buffer, [take]: onRead.callback })
  handle.useUserBuffer(buffer)
  readThinly(socket, onRead, reader)
  return true
}

/** Writes to a TCP socket past its stream. */
export interface DirectHandle {
  /** 0: the kernel has taken all. A negative number: an error. Else the request of a write that goes on. */
  writeBuffer(request: null, bytes: Buffer): unknown
}

/** From 26.10 on a handle writes without a request object; earlier ones end the process when there is none. */
const WRITES_WITHOUT_REQUEST = isAtLeast(process.versions.node, 26, 10)

function isAtLeast(version: string, major: number, minor: number): boolean {
  const [ourMajor = 0, ourMinor = 0] = version.split('.').map(Number)
  return ourMajor > major || (ourMajor === major && ourMinor >= minor)
}

/** Of a connected socket; undefined where there is no way past the stream, as for TLS, which takes nothing at once anyway. */
export function directHandle(socket: net.Socket): DirectHandle | undefined {
  const handle = (socket as unknown as { _handle?: Partial<DirectHandle> | null })._handle
  const isPlain = WRITES_WITHOUT_REQUEST && (socket as tls.TLSSocket).encrypted !== true
  return isPlain && typeof handle?.writeBuffer === 'function' ? (handle as DirectHandle) : undefined
}

/**
 * Gives the stream the result of a direct write of these bytes, as if it had made that write itself: from here on it waits for
 * the rest, or deals with the error, and calls back. Nothing may be written in between.
 */
export function handOver(
  socket: net.Socket,
  handle: DirectHandle,
  bytes: Buffer,
  result: unknown,
  done: () => void,
): void {
  handle.writeBuffer = () => result
  try {
    socket.write(bytes, done)
  } finally {
    // The method of its prototype again.
    delete (handle as Partial<DirectHandle>).writeBuffer
  }
}

/**
 * Node destroys a socket when a write fails, and with it what the peer said before it closed (a 413 to an upload, say). Here
 * such a failure is only told, and the socket goes on being read; everything else still destroys it.
 */
export function onWriteFailed(socket: net.Socket, tell: (code: string | undefined) => void): void {
  const destroy = socket.destroy.bind(socket)
  let hasFailed = false
  socket.destroy = (error?: Error): net.Socket => {
    if (hasFailed || (error as NodeJS.ErrnoException | undefined)?.syscall !== 'write') return destroy(error)
    hasFailed = true
    // The error stands on both halves of the stream; with it there, the end of what is read would never be told.
    const readable = (socket as unknown as { _readableState?: { errored: unknown } })._readableState
    if (readable !== undefined) readable.errored = null
    tell((error as NodeJS.ErrnoException).code)
    return socket
  }
}
