/**
 * The operations door: probes, metrics and status, on a socket of its own. It belongs to the main thread, which may be one that serves: so a slow or
 * hostile client of it is bounded in number, time and memory, and long answers are made in slices.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type net from 'node:net'
import { createGzip } from 'node:zlib'
import type { AdminSettings } from '../config/snapshot.ts'
import { CONTENT_TYPES } from '../metrics/exposition.ts'
import { AdminConnection, type AdminReply, type AdminRequest, drained } from './connection.ts'
import { isLocal } from './is-local.ts'
import type { AdminSources, Exposition } from './sources.ts'

const MAX_CONNECTIONS = 64
/** So long metrics are made in one turn of the event loop, for all who ask together. */
const SLICE_MS = 1
const PIECE_LENGTH = 16 * 1024
/** For a request that is on its way, as clients of the gateway have it. */
const RETIRE_MS = 500

const OPEN_TO_OTHERS =
  'admin.token is not set, and this address can be reached from other machines. With a token (Authorization: Bearer), or on a loopback address, this answers.\n'

export interface AdminServer {
  take(socket: net.Socket): void
  /** For requests from now on. */
  publish(settings: AdminSettings): void
  /** Lets everybody have the answer that is asked for, and no further one; resolves when they have left. */
  retire(): Promise<void>
  /** Ends every connection. */
  close(): void
}

export function createAdminServer(settings: AdminSettings, sources: AdminSources): AdminServer {
  let current = settings
  /** Those that have waited longest for a head first. */
  const connections = new Set<AdminConnection>()
  const slices = createSlices()
  const status = createStatusText(sources, slices)
  let left: (() => void) | undefined

  function take(socket: net.Socket): void {
    if (connections.size >= MAX_CONNECTIONS) {
      const waiting = [...connections].find(({ givesWay }) => givesWay)
      if (waiting === undefined) {
        socket.destroy()
        return
      }
      connections.delete(waiting)
      waiting.destroy()
    }
    // A reload may move the door to a loopback address, and those that have come by the old one are still here.
    const cameLocally = isLocal(current.bindAddress)
    const connection = new AdminConnection(
      socket,
      (request, reply) =>
        answer(request, reply, current, cameLocally && isLocal(current.bindAddress), { sources, slices, status }),
      () => {
        if (connections.delete(connection)) connections.add(connection)
      },
      () => {
        connections.delete(connection)
        if (connections.size === 0) left?.()
      },
      () => left === undefined,
    )
    connections.add(connection)
  }

  return {
    take,
    publish(next) {
      current = next
    },
    async retire() {
      const { promise, resolve } = Promise.withResolvers<void>()
      left = resolve
      if (connections.size === 0) resolve()
      const timer = setTimeout(() => {
        for (const connection of connections) if (connection.isWaiting) connection.destroy()
      }, RETIRE_MS)
      await promise
      clearTimeout(timer)
    },
    close() {
      for (const connection of connections) connection.destroy()
    },
  }
}

type Slices = ReturnType<typeof createSlices>

/** Where answers come from. */
interface Answers {
  readonly sources: AdminSources
  readonly slices: Slices
  readonly status: () => Promise<string>
}

/** It takes milliseconds with hundreds of upstreams: once in a turn of the event loop, for all who have asked before. */
function createStatusText(sources: AdminSources, slices: Slices): () => Promise<string> {
  let asked: Promise<string> | undefined
  async function make(): Promise<string> {
    await slices.nextTurn()
    asked = undefined
    return `${JSON.stringify(await sources.status(), undefined, 2)}\n`
  }
  return () => (asked ??= make())
}

async function answer(
  { method, path, fields }: AdminRequest,
  reply: AdminReply,
  settings: AdminSettings,
  isNear: boolean,
  { sources, slices, status }: Answers,
): Promise<void> {
  if (method !== 'GET' && method !== 'HEAD') {
    reply.send(405, 'GET and HEAD are answered here.\n', { Allow: 'GET, HEAD' })
    return
  }
  switch (path) {
    case '/live':
      reply.send(200, 'ok\n')
      return
    case '/ready': {
      const reasons = sources.notReady()
      if (reasons.length === 0) reply.send(200, 'ready\n')
      else reply.send(503, `${reasons.join('\n')}\n`)
      return
    }
    case '/metrics':
    case '/status':
      break
    default:
      reply.send(404, 'There are /live, /ready, /metrics and /status.\n')
      return
  }
  if (settings.token === undefined && !isNear) reply.send(403, OPEN_TO_OTHERS)
  else if (settings.token !== undefined && !isBearer(fields.get('authorization'), settings.token)) {
    reply.send(401, 'This wants Authorization: Bearer with the value of admin.token.\n', {
      'WWW-Authenticate': 'Bearer',
    })
  } else if (path === '/metrics') await sendMetrics(fields, method === 'HEAD', reply, sources, slices)
  else reply.send(200, await status(), { 'Content-Type': 'application/json' })
}

function isBearer(given: string | undefined, token: string): boolean {
  const found = /^Bearer +(.*)$/i.exec(given ?? '')?.[1] ?? ''
  const digest = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest()
  return timingSafeEqual(digest(Buffer.from(found, 'latin1')), digest(Buffer.from(token)))
}

async function sendMetrics(
  fields: AdminRequest['fields'],
  isHead: boolean,
  reply: AdminReply,
  sources: AdminSources,
  slices: Slices,
): Promise<void> {
  const format: Exposition = (fields.get('accept') ?? '').includes('application/openmetrics-text')
    ? 'openmetrics'
    : 'prometheus'
  const isZipped = /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/.test(fields.get('accept-encoding') ?? '')
  reply.begin({
    'Content-Type': CONTENT_TYPES[format],
    Vary: 'Accept, Accept-Encoding',
    ...(isZipped && { 'Content-Encoding': 'gzip' }),
  })
  if (!isHead) {
    const pieces = slices.cut(await sources.exposition(format))
    for await (const piece of isZipped ? zipped(pieces) : pieces) {
      await reply.write(piece)
      if (reply.isGone) return
    }
  }
  reply.end()
}

/** Whoever reads it and stops ends the whole chain. */
function zipped(pieces: AsyncGenerator<string>): AsyncIterable<Buffer> {
  const gzip = createGzip({ level: 1 })
  async function feed(): Promise<void> {
    for await (const piece of pieces) {
      if (gzip.destroyed) return
      if (!gzip.write(piece)) await drained(gzip)
    }
    gzip.end()
  }
  feed().catch((error: Error) => gzip.destroy(error))
  return gzip
}

/** Cuts lines into pieces of some length. All that are being cut share one slice of each turn of the event loop. */
function createSlices() {
  let until = 0
  let turn: Promise<void> | undefined
  function nextTurn(): Promise<void> {
    turn ??= new Promise((resolve) =>
      setImmediate(() => {
        turn = undefined
        until = performance.now() + SLICE_MS
        resolve()
      }),
    )
    return turn
  }
  return {
    nextTurn,
    async *cut(lines: Iterable<string>): AsyncGenerator<string> {
      await nextTurn()
      let piece = ''
      for (const line of lines) {
        piece += line
        if (piece.length >= PIECE_LENGTH) {
          yield piece
          piece = ''
        }
        while (performance.now() >= until) await nextTurn()
      }
      yield piece
    },
  }
}
