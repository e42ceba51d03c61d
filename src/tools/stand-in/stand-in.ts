/**
 * The stand-in provider: a small server that speaks the APIs of OpenAI, Anthropic and Gemini on one port, for trying a
 * client with no provider account, and over WebSocket what `sessions.ts` knows. It demands a provider key of its own, so that it proves that the gateway swapped the
 * client's; what it says is deterministic, and it says it at the pace of a model.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { anthropic } from './anthropic.ts'
import type { Answer, Api, ApiRequest } from './api.ts'
import { readBody } from './body.ts'
import { gemini } from './gemini.ts'
import { openai } from './openai.ts'
import { Refusal } from './refusal.ts'
import { type Pace, send } from './send.ts'
import { serveWebSocket } from './websocket.ts'

/** The provider key that it demands unless told otherwise. */
export const STAND_IN_KEY = 'stand-in-provider-key'

/** Median time between two tokens of a model that people read along with. */
const TOKEN_DELAY_MS = 40
const BODY_LIMIT = 64 * 1024 * 1024
const KEPT_REQUESTS = 100
const KEEP_ALIVE_MS = 65_000

export interface StandInRequest {
  readonly method: string
  /** Without the query, which may hold a key. */
  readonly path: string
  /** Lower case, in the order in which they came. Their values are not kept. */
  readonly headerNames: readonly string[]
  /** The client left before its answer had ended. */
  readonly aborted: boolean
  /** The answer went out to its last byte. Neither: still going on, or broken off on purpose. */
  readonly completed: boolean
  /** Resolves when nothing more will happen. */
  readonly ended: Promise<void>
}

export interface StandIn {
  readonly port: number
  /** The last hundred, oldest first. */
  readonly requests: readonly StandInRequest[]
  close(): Promise<void>
}

export interface StandInOptions {
  /** 0, the default: any free one. */
  readonly port?: number
  readonly tokenDelayMs?: number
  readonly providerKey?: string
}

interface Settings {
  readonly tokenDelayMs: number
  readonly providerKey: string
}

type Head = Omit<ApiRequest, 'body'>

/** A request that is being answered. */
interface Visit {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly head: Head
  readonly id: string
  readonly api: Api
  readonly pace: Pace
}

export async function startStandIn(options: StandInOptions = {}): Promise<StandIn> {
  const settings = {
    tokenDelayMs: options.tokenDelayMs ?? TOKEN_DELAY_MS,
    providerKey: options.providerKey ?? STAND_IN_KEY,
  }
  const requests: StandInRequest[] = []
  let count = 0
  const server = createServer((request, response) => {
    count += 1
    requests.push(serve(request, response, settings, `req_${String(count).padStart(8, '0')}`))
    if (requests.length > KEPT_REQUESTS) requests.shift()
  })
  const upgraded = new Set<Duplex>()
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, first: Buffer) => {
    upgraded.add(socket)
    socket.once('close', () => upgraded.delete(socket))
    const head = headOf(request)
    const visitor = {
      request,
      socket,
      first,
      path: head.path,
      query: head.query,
      hasKey: hasKey(head, settings.providerKey),
    }
    void serveWebSocket(visitor, settings.providerKey, settings.tokenDelayMs)
  })
  server.keepAliveTimeout = KEEP_ALIVE_MS
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  async function close(): Promise<void> {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    for (const socket of upgraded) socket.destroy()
    await closed
  }
  return { port, requests, close }
}

/** Starts on an answer and returns the record of its request, which is settled as soon as the response is closed. */
function serve(request: IncomingMessage, response: ServerResponse, settings: Settings, id: string): StandInRequest {
  const head = headOf(request)
  const headerNames = request.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase())
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  const record = { method: head.method, path: head.path, headerNames, aborted: false, completed: false, ended }
  const clientLeft = new AbortController()
  let isBrokenOff = false
  function breakOff(): void {
    isBrokenOff = true
    response.destroy()
  }
  response.on('error', () => {}) // A write that meets a closed connection; `close` tells the same.
  response.once('close', () => {
    record.completed = response.writableFinished
    record.aborted = !record.completed && !isBrokenOff
    clientLeft.abort()
    resolve()
  })
  const pace = { tokenDelayMs: settings.tokenDelayMs, clientLeft: clientLeft.signal, breakOff }
  void respond({ request, response, head, id, api: apiOf(head), pace }, settings.providerKey)
  return record
}

function headOf({ method = '', url = '', headers }: IncomingMessage): Head {
  const mark = url.indexOf('?')
  if (mark < 0) return { method, path: url, query: new URLSearchParams(), headers }
  return { method, path: url.slice(0, mark), query: new URLSearchParams(url.slice(mark)), headers }
}

async function respond(visit: Visit, providerKey: string): Promise<void> {
  const { response, id, api, pace } = visit
  try {
    const outcome = await outcomeOf(visit, providerKey)
    if (outcome === 'aborted') return
    const answer = outcome instanceof Refusal ? api.refuse(outcome, id) : outcome
    await send(response, answer, api.headers(id), pace)
  } catch (error) {
    if (pace.clientLeft.aborted) return
    if (response.headersSent) return pace.breakOff()
    const refusal = new Refusal(500, `The stand-in has a bug: ${String(error)}`)
    await send(response, api.refuse(refusal, id), api.headers(id), pace)
  }
}

async function outcomeOf({ request, head, api }: Visit, providerKey: string): Promise<Answer | Refusal | 'aborted'> {
  if (!hasKey(head, providerKey)) {
    const message = 'The stand-in takes no key but its own. A gateway in front of it puts that one in.'
    return new Refusal(401, message, { code: 'invalid_api_key' })
  }
  const body = await readBody(request, BODY_LIMIT)
  if (body === 'aborted') return body
  if (body === 'too_large') return new Refusal(413, 'The request body is larger than 64 MiB.')
  return api.answer({ ...head, body })
}

/** The three share paths (`/v1/models`), so it is their clients' own header fields that tell them apart. */
function apiOf({ path, headers }: Head): Api {
  if (headers['anthropic-version'] !== undefined || /^\/v1\/messages(\/|$)/.test(path)) return anthropic
  const isGoogles = headers['x-goog-api-key'] !== undefined || headers['x-goog-api-client'] !== undefined
  return isGoogles || /^\/v1beta\/|^\/v1\/models\/[^/]+:/.test(path) ? gemini : openai
}

/** Whether any of the places in which the providers look for their key has it. */
function hasKey({ headers, query }: Head, key: string): boolean {
  const bearer = /^bearer +(.+)$/i.exec(headers.authorization ?? '')?.[1]
  const { 'x-api-key': anthropics, 'x-goog-api-key': googles, 'api-key': azures } = headers
  return [bearer, anthropics, googles, azures, query.get('key')].includes(key)
}
