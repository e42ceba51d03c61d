import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after } from 'node:test'
import { FAILURES, type FailureCode } from '../../src/failure.ts'
import { within } from '../support/deadline.ts'
import {
  CLIENT_KEY,
  type ConfigObject,
  type LoggedRecord,
  PROVIDER_KEY,
  type RunningGateway,
  startGateway,
} from '../support/gateway.ts'
import type { Message } from '../support/message.ts'
import type { OriginRequest } from '../support/origin.ts'
import { described, type Redact } from './described.ts'
import { type Reply, type Script, type ScriptedOrigin, startScriptedOrigin } from './scripted-origin.ts'

/** All that an application has to change when it goes through the gateway. */
export interface Target {
  readonly url: string
  readonly key: string
  /** What the client sends besides. */
  readonly headers: Readonly<Record<string, string>>
}

/** What the provider answers: where an answer has a URL of the provider itself, it depends on that. */
export type Replies = readonly Reply[] | ((providerUrl: string) => readonly Reply[])

/** Makes a client for the target and calls it. */
export type Call<T> = (target: Target, script: Script) => Promise<T>

export interface Expected {
  /** How the gateway's records say that each exchange ended; `complete` unless said otherwise. */
  readonly outcome?: LoggedRecord['outcome']
  /** The client's own provider login stays where it is; the gateway's key has a field to itself. */
  readonly pass?: boolean
}

export interface Compared<T> {
  /** What the call returned, or what it threw: through the gateway. */
  readonly value: T
  readonly direct: Script
  readonly relayed: Script
  readonly records: readonly LoggedRecord[]
}

type Settled<T> = { readonly value: T } | { readonly error: unknown }

/** Far longer than an upload with its answer takes. */
const CALL_DEADLINE_MS = 20_000
/** A longer body is compared by its digest, so that a difference can be read. */
const READABLE_BYTES = 64 * 1024
/** `Connection` is about one connection, and not relayed. */
const CONNECTION_LINE = /^connection: keep-alive\r\n/im
/** Clients make a random boundary for each form. */
const BOUNDARY = /^content-type: multipart\/form-data; boundary="?([^"\r\n]+)"?\r\n/im

export class Parity {
  readonly #straight: ScriptedOrigin
  readonly #behind: ScriptedOrigin
  readonly gateway: RunningGateway
  /** Straight to the provider, with its key. */
  readonly direct: Target
  readonly relayed: Target
  readonly wrongKey: Target
  readonly unknownPath: Target
  readonly down: Target
  readonly #pass: Target

  constructor(straight: ScriptedOrigin, behind: ScriptedOrigin, gateway: RunningGateway, prefix: string) {
    this.#straight = straight
    this.#behind = behind
    this.gateway = gateway
    const at = (url: string, key: string, headers = {}): Target => ({ url, key, headers })
    this.direct = at(straight.url, PROVIDER_KEY)
    this.relayed = at(`${gateway.url}${prefix}`, CLIENT_KEY)
    this.wrongKey = at(`${gateway.url}${prefix}`, 'sk-wrong')
    this.unknownPath = at(`${gateway.url}${prefix}-evil`, CLIENT_KEY)
    this.down = at(`${gateway.url}/down`, CLIENT_KEY)
    this.#pass = at(`${gateway.url}/pass`, PROVIDER_KEY, { 'x-fluxgate-key': CLIENT_KEY })
  }

  /** Calls twice, and asserts that client and provider see the same both times. */
  async same<T>(replies: Replies, call: Call<T>, expected: Expected = {}): Promise<Compared<T>> {
    const { settled, ...compared } = await this.#compare(replies, call, expected)
    if ('error' in settled) throw settled.error
    return { ...compared, value: settled.value }
  }

  /** The same for a call that must fail. */
  async sameError(replies: Replies, call: Call<unknown>, expected: Expected = {}): Promise<Compared<unknown>> {
    const { settled, ...compared } = await this.#compare(replies, call, expected)
    assert.ok('error' in settled, 'it did not fail')
    return { ...compared, value: settled.error }
  }

  /** What the client makes of a refusal of ours, of which the provider must see nothing. */
  async refused(target: Target, code: FailureCode, call: Call<unknown>): Promise<unknown> {
    const script = this.#behind.play([])
    const before = this.gateway.records().length
    const settled = await settle(call(target, script))
    const [record] = await this.#recordsSince(before, 1)
    assert.ok('error' in settled, 'it was not refused')
    assert.equal(record?.status, FAILURES[code].status)
    assert.equal(this.gateway.records().length, before + 1)
    assert.deepEqual(script.requests, [])
    return settled.error
  }

  /** Calls twice, for what the client or the gateway is known to do differently: straight, and through the gateway. */
  async both<T>(replies: Replies, call: Call<T>): Promise<[T, T]> {
    const before = this.gateway.records().length
    const [straight, through] = await Promise.all([
      call(this.direct, play(this.#straight, replies)),
      call(this.relayed, play(this.#behind, replies)),
    ])
    await this.#recordsSince(before, 1)
    return [straight, through]
  }

  async #compare<T>(replies: Replies, call: Call<T>, expected: Expected) {
    const target = expected.pass ? this.#pass : this.relayed
    const direct = play(this.#straight, replies)
    const relayed = play(this.#behind, replies)
    const before = this.gateway.records().length
    // At the same time, since some clients pause for seconds.
    const [straight, settled] = await Promise.all([settle(call(this.direct, direct)), settle(call(target, relayed))])
    const records = await this.#recordsSince(before, relayed.requests.length)
    const behind = this.#behind.url
    assert.deepEqual(described(settled, redactor(target, behind)), described(straight, redactor(this.direct)))
    assert.ok(direct.requests.length > 0)
    const all = (script: Script, url: string) => script.requests.map((request) => received(request, url))
    assert.deepEqual(all(relayed, behind), all(direct, this.#straight.url))
    const outcome = expected.outcome ?? 'complete'
    assert.deepEqual(
      records.map((record) => record.outcome),
      records.map(() => outcome),
    )
    return { settled, direct, relayed, records }
  }

  async #recordsSince(before: number, count: number): Promise<readonly LoggedRecord[]> {
    const records = () => this.gateway.records().slice(before)
    await this.gateway.until(() => records().length >= count, `${count} records`)
    return records()
  }
}

/** What a refusal of ours says; the key of all these tests opens all upstreams. */
export function refusalText(code: FailureCode): string {
  const more = code === 'no_route' ? ' Open to you: /provider, /pass, /down' : ''
  return `fluxgate: ${FAILURES[code].message}${more}`
}

export interface ParityOptions {
  /** Where the gateway has the provider; at `/`, there is no path that is unknown. */
  readonly prefix?: '/provider' | '/'
  /** What the gateway's configuration says of the provider besides. */
  readonly more?: ConfigObject
}

export async function startParity({ prefix = '/provider', more = {} }: ParityOptions = {}): Promise<Parity> {
  const [straight, behind] = await Promise.all([startScriptedOrigin(), startScriptedOrigin()])
  const target_url = behind.url
  const gateway = await startGateway({
    upstreams: {
      provider: { request_path: prefix, target_url, api_key: PROVIDER_KEY, ...more },
      pass: { request_path: '/pass', target_url, credential: 'pass' },
      down: { request_path: '/down', target_url: 'http://127.0.0.1:1', api_key: PROVIDER_KEY },
    },
  })
  after(async () => {
    await gateway.stop()
    await Promise.all([straight.close(), behind.close()])
  })
  return new Parity(straight, behind, gateway, prefix === '/' ? '' : prefix)
}

function settle<T>(call: Promise<T>): Promise<Settled<T>> {
  return within(call, 'the call', CALL_DEADLINE_MS).then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
}

function play(origin: ScriptedOrigin, replies: Replies): Script {
  return origin.play(typeof replies === 'function' ? replies(origin.url) : replies)
}

/** Some clients tell nothing of a URL but its origin. */
function redactor(target: Target, providerUrl = target.url): Redact {
  const { origin } = new URL(target.url)
  const urls = [target.url, origin, providerUrl]
  return (text) => urls.reduce((rest, url) => rest.replaceAll(url, '(base URL)'), text).replaceAll(target.key, '(key)')
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** That the second attempt came no sooner than it was asked to. */
export function assertPause(script: Script, ms: number): void {
  const pause = script.pauseMs(0)
  assert.ok(pause >= ms - 5, `${pause} ms instead of ${ms}`) // A timer may be early by a millisecond.
}

/** A request as it came, chunk by chunk, but for the provider's address and what no two requests of a client have in common. */
export function received({ message }: Pick<OriginRequest, 'message'>, providerUrl: string): object {
  const { head, trailers, state } = message
  const boundary = BOUNDARY.exec(head)?.[1]
  const unify = (text: string): string => (boundary === undefined ? text : text.replaceAll(boundary, '(boundary)'))
  const pieces = piecesOf(message).map((piece) => unify(piece.toString('latin1')))
  const host = `\r\nhost: ${new URL(providerUrl).host}\r\n`
  const own = head.replace(CONNECTION_LINE, '').replace(host, '\r\nhost: (provider)\r\n')
  return { head: unify(own), pieces: readable(pieces), trailers, state }
}

function piecesOf({ framing, content, chunks }: Message): Buffer[] {
  if (framing !== 'chunked') return [content]
  let end = 0
  return chunks.map((size) => content.subarray(end, (end += size)))
}

function readable(pieces: string[]): unknown {
  const text = pieces.join('\n')
  if (text.length <= READABLE_BYTES) return pieces
  return { count: pieces.length, length: text.length, digest: createHash('sha256').update(text).digest('hex') }
}
