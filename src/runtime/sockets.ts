import net from 'node:net'
import tls from 'node:tls'
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
}

function onReadOf(reader: Reader): OnRead {
  return {
    buffer: () => reader.nextReadBuffer(),
    callback: (length, buffer) => reader.onBytes(buffer as Buffer, length),
  }
}

/** When so many bytes wait to be written, whoever sends them holds back: as soon as a write from a bulk buffer waits. */
export const WRITE_HIGH_WATER_BYTES = BULK_THRESHOLD

type WithHandle = { _handle: unknown }

/**
 * Takes over a socket accepted by a server with `pauseOnConnect`. The result allows half-open: its owner sees 'end' and
 * decides. Where handles cannot be moved, the accepted socket itself is read by 'data' events.
 */
export function adoptAccepted(accepted: net.Socket, reader: Reader): net.Socket {
  const handle = (accepted as unknown as WithHandle)._handle
  if (typeof (handle as { useUserBuffer?: unknown } | null)?.useUserBuffer !== 'function')
    return readByEvents(accepted, reader)
  ;(accepted as unknown as WithHandle)._handle = null
  return new net.Socket({
    handle,
    onread: onReadOf(reader),
    allowHalfOpen: true,
    highWaterMark: WRITE_HIGH_WATER_BYTES,
  } as net.SocketConstructorOpts)
}

function readByEvents(accepted: net.Socket, reader: Reader): net.Socket {
  accepted.allowHalfOpen = true
  // A chunk belongs to nobody else: it may be changed in place and written from like any other read buffer.
  accepted.on('data', (chunk: Buffer) => {
    if (!reader.onBytes(chunk, chunk.length)) accepted.pause()
  })
  accepted.resume()
  return accepted
}

/** A Unix socket knows no reset: there, all that can be done is to close it. */
export function resetSocket(socket: net.Socket): void {
  const handle = (socket as unknown as { _handle?: { reset?: unknown } | null })._handle
  if (handle && typeof handle.reset !== 'function') socket.destroy()
  else socket.resetAndDestroy()
}

export function connectTcp(address: string, port: number, reader: Reader): net.Socket {
  return net.connect({
    host: address,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
    highWaterMark: WRITE_HIGH_WATER_BYTES,
    onread: onReadOf(reader),
  } as net.TcpNetConnectOpts)
}

export function connectTls(
  address: string,
  port: number,
  servername: string,
  secureContext: tls.SecureContext,
  reader: Reader,
): tls.TLSSocket {
  return tls.connect({
    host: address,
    port,
    // An IP address is checked against the certificate, but must not be sent as SNI (RFC 6066 section 3).
    ...(net.isIP(servername) === 0 ? { servername } : {}),
    checkServerIdentity: (_host, certificate) => tls.checkServerIdentity(servername, certificate),
    rejectUnauthorized: true,
    secureContext,
    ALPNProtocols: ['http/1.1'],
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
    highWaterMark: WRITE_HIGH_WATER_BYTES,
    onread: onReadOf(reader),
  } as tls.ConnectionOptions)
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
export function onWriteFailed(socket: net.Socket, tell: () => void): void {
  const destroy = socket.destroy.bind(socket)
  let hasFailed = false
  socket.destroy = (error?: Error): net.Socket => {
    if (hasFailed || (error as NodeJS.ErrnoException | undefined)?.syscall !== 'write') return destroy(error)
    hasFailed = true
    // The error stands on both halves of the stream; with it there, the end of what is read would never be told.
    const readable = (socket as unknown as { _readableState?: { errored: unknown } })._readableState
    if (readable !== undefined) readable.errored = null
    tell()
    return socket
  }
}
