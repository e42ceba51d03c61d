/**
 * The floor: what Node itself costs for this work. Two sockets and nothing of a gateway: it checks one key, swaps it and cuts
 * the prefix, and passes bytes on. No parser to speak of, no log, no deadlines, no limits, no pool but a stack. It is fit for
 * nothing but measuring: what the kernel does not take at once goes on to point into memory that is read into again, so that
 * content may come wrong, if of the right length. It takes what the load of this benchmark sends.
 *
 * `raw-relay.ts <port> <origin port> <prefix> <client key> <provider key> [path of a CA: the origin speaks TLS]`
 */
import { readFileSync } from 'node:fs'
import net from 'node:net'
import tls from 'node:tls'
import { withOwnMemory } from '../load/own-memory.ts'

const [port, originPort, prefix, clientKey, providerKey, ca] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
  string | undefined,
]
const memory = Buffer.allocUnsafeSlow(65_536)
const slab = Buffer.allocUnsafeSlow(2 * memory.length)
const secureContext = ca === undefined ? undefined : tls.createSecureContext({ ca: readFileSync(ca) })

const LINES_WITH_KEY = [`Authorization: Bearer ${clientKey}\r\n`, `authorization: Bearer ${clientKey}\r\n`] as const
const LINE_WITH_PROVIDER_KEY = `Authorization: Bearer ${providerKey}\r\n`
const HOSTS = ['\r\nHost: ', '\r\nhost: '] as const
const HOST_LINE = `Host: 127.0.0.1:${originPort}\r\n`
const LENGTHS = ['\r\nContent-Length: ', '\r\ncontent-length: '] as const
const LAST_CHUNK = '0\r\n\r\n'
const UNAUTHORIZED = 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n'

interface Client {
  readonly socket: net.Socket
  upstream: Upstream | undefined
  /** Of the request that is on its way. */
  left: number
}

interface Upstream {
  readonly socket: net.Socket
  client: Client | undefined
  isHead: boolean
  left: number
}

const idle: Upstream[] = []

type Handle = { writeBuffer(request: null, bytes: Buffer): unknown }

/** Earlier ones end the process when there is no request object. */
const [MAJOR = 0, MINOR = 0] = process.versions.node.split('.').map(Number)
const WRITES_WITHOUT_REQUEST = MAJOR > 26 || (MAJOR === 26 && MINOR >= 10)

/** Past the stream, if that is possible. */
function write(socket: net.Socket, bytes: Buffer): boolean {
  const handle = (socket as unknown as { _handle: Handle | null })._handle
  if (handle === null) return true
  const isDirect = WRITES_WITHOUT_REQUEST && !(socket instanceof tls.TLSSocket)
  if (!isDirect || socket.connecting || socket.writableLength > 0) return socket.write(Buffer.from(bytes))
  const result = handle.writeBuffer(null, bytes)
  if (typeof result === 'number') return true
  // The stream takes it for its own and waits for the rest.
  handle.writeBuffer = () => result
  try {
    return socket.write(bytes)
  } finally {
    delete (handle as Partial<Handle>).writeBuffer
  }
}

/** Holds back one side while the other takes no more. */
function passOn(bytes: Buffer, from: net.Socket, to: net.Socket): void {
  if (write(to, bytes)) return
  from.pause()
  to.once('drain', () => from.resume())
}

function find(text: string, [usual, other]: readonly [string, string]): number {
  const at = text.indexOf(usual)
  return at === -1 ? text.indexOf(other) : at
}

function contentLength(head: string): number {
  const at = find(head, LENGTHS)
  return at === -1 ? 0 : Number.parseInt(head.slice(at + LENGTHS[0].length, at + LENGTHS[0].length + 12), 10)
}

function connect(): Upstream {
  const onread = {
    buffer: memory,
    callback: (length: number): boolean => {
      if (upstream.client !== undefined) relayAnswer(upstream, upstream.client, length)
      return true
    },
  }
  const place = { host: '127.0.0.1', port: Number(originPort), noDelay: true, onread }
  const socket =
    secureContext === undefined
      ? net.connect(place)
      : tls.connect({ ...place, secureContext } as unknown as tls.ConnectionOptions)
  const upstream: Upstream = { socket, client: undefined, isHead: true, left: 0 }
  socket.on('error', () => socket.destroy())
  socket.on('close', () => {
    const at = idle.indexOf(upstream)
    if (at !== -1) idle.splice(at, 1)
    upstream.client?.socket.destroy()
  })
  return upstream
}

function relayAnswer(upstream: Upstream, client: Client, length: number): void {
  if (upstream.isHead) {
    const text = memory.toString('latin1', 0, Math.min(length, 4096))
    const end = text.indexOf('\r\n\r\n') + 4
    upstream.isHead = false
    upstream.left = (text.includes('chunked') ? Number.POSITIVE_INFINITY : contentLength(text.slice(0, end))) + end
  }
  upstream.left -= length
  passOn(memory.subarray(0, length), upstream.socket, client.socket)
  const isLastChunk =
    upstream.left === Number.POSITIVE_INFINITY && memory.toString('latin1', length - 5, length) === LAST_CHUNK
  if (upstream.left > 0 && !isLastChunk) return
  upstream.client = undefined
  client.upstream = undefined
  idle.push(upstream)
}

function relayRequest(client: Client, length: number): void {
  if (client.left > 0) {
    client.left -= length
    passOn(memory.subarray(0, length), client.socket, client.upstream!.socket)
    return
  }
  const text = memory.toString('latin1', 0, Math.min(length, 4096))
  const end = text.indexOf('\r\n\r\n') + 4
  const head = text.slice(0, end)
  const changed = changedHead(head)
  if (changed === undefined) {
    client.socket.end(UNAUTHORIZED)
    return
  }
  client.left = contentLength(head) - (length - end)
  const upstream = idle.pop() ?? connect()
  upstream.client = client
  upstream.isHead = true
  client.upstream = upstream
  slab.write(changed, 0, 'latin1')
  memory.copy(slab, changed.length, end, length)
  passOn(slab.subarray(0, changed.length + length - end), client.socket, upstream.socket)
}

/** Another key, another host, no prefix. Undefined: the key is wrong. */
function changedHead(head: string): string | undefined {
  const key = find(head, LINES_WITH_KEY)
  if (key === -1) return undefined
  const path = head.indexOf(prefix)
  const host = find(head, HOSTS) + 2
  const afterHost = head.indexOf('\r\n', host) + 2
  const afterKey = key + LINES_WITH_KEY[0].length
  const start = head.slice(0, path)
  const from = path + prefix.length
  if (host < key)
    return `${start}${head.slice(from, host)}${HOST_LINE}${head.slice(afterHost, key)}${LINE_WITH_PROVIDER_KEY}${head.slice(afterKey)}`
  return `${start}${head.slice(from, key)}${LINE_WITH_PROVIDER_KEY}${head.slice(afterKey, host)}${HOST_LINE}${head.slice(afterHost)}`
}

net
  .createServer({ pauseOnConnect: true, noDelay: true }, (accepted) => {
    const client: Client = {
      socket: withOwnMemory(accepted, memory, (length) => relayRequest(client, length)),
      upstream: undefined,
      left: 0,
    }
    client.socket.on('close', () => client.upstream?.socket.destroy())
  })
  .listen(Number(port), '127.0.0.1')
