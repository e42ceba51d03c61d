import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { createRouteTable } from '../../../src/config/route-table.ts'
import type { Identity, OwnField, Snapshot, Upstream } from '../../../src/config/snapshot.ts'
import { type AddressRange, parseRange } from '../../../src/http/address.ts'
import { createFieldRules } from '../../../src/http/field-rules.ts'
import { jwtKey, signToken } from '../../support/tokens.ts'
import { OneConnection, type Turn } from '../one-connection.ts'
import type { ValueTarget } from '../target.ts'

/*
 * A head that repeats the one before it on its connection is neither parsed nor judged again. Nobody must be able to tell: what
 * goes to the upstream, to the client and into the log is what it would be if each message had come on a connection of its own.
 */

const KEY = 'fgk_0123456789abcdef'
const OTHER_KEY = 'fgk_fedcba9876543210'
/** They could stand where no value is looked at: in a length, and around a colon. */
const DIGITS_KEY = '12'
const COLON_KEY = 'x-a: b'
const SECRET = Buffer.alloc(32, 7)
const TOKEN = signToken('k', SECRET, { sub: 'somebody', exp: 4_000_000_000 })
const LATER_TOKEN = signToken('k', SECRET, { nbf: 4_000_000_000 })
const PROVIDER_KEY = 'sk-provider'
const OWN: OwnField = { field: 'X-Own', name: 'x-own', scheme: 'Token' }

const UPSTREAM: Upstream = {
  name: 'up',
  prefix: '/up',
  target: { scheme: 'http', host: 'api.example', port: 80, authority: 'api.example', basePath: '/base' },
  apiKey: PROVIDER_KEY,
  credential: 'swap',
  fields: undefined,
  rewritesLocation: false,
  tls: undefined,
  endpoint: '',
  connectTimeoutMs: 600_000,
  responseTimeoutMs: 600_000,
  idleTimeoutMs: 600_000,
  requestTimeoutMs: undefined,
  keepAliveTimeoutMs: 600_000,
  maxConnectionAgeMs: 600_000,
  connectTo: undefined,
  proxy: undefined,
}

const digest = (key: string): string => createHash('sha256').update(key).digest('hex')

function configuration(
  changes: Partial<Upstream>,
  server: Partial<Snapshot['server']> = {},
  isAnonymous = false,
): Snapshot {
  const upstream = { ...UPSTREAM, ...changes }
  const routes = createRouteTable([upstream])
  const identity = (name: string): Identity => ({ name, routes })
  const keys = [KEY, OTHER_KEY, DIGITS_KEY, COLON_KEY]
  return {
    generation: 1,
    isDefault: false,
    server: {
      bindAddress: { host: '127.0.0.1', port: 0, text: '127.0.0.1:0' },
      cors: undefined,
      maxConnections: 1,
      headTimeoutMs: 600_000,
      bodyTimeoutMs: 600_000,
      keepAliveTimeoutMs: 600_000,
      shutdownTimeoutMs: undefined,
      socketMode: 0o660,
      proxyProtocol: undefined,
      trustedProxies: undefined,
      ...server,
    },
    anonymous: isAnonymous ? identity('') : undefined,
    keys: {
      staticKeys: new Map(isAnonymous ? [] : keys.map((key, i) => [digest(key), identity(`key ${i}`)])),
      jwtKeys: new Map([['k', jwtKey(SECRET, identity('signer'))]]),
    },
    upstreams: [upstream],
    withOwnField: typeof upstream.credential === 'object' ? [{ ...upstream, credential: upstream.credential }] : [],
  }
}

const fields = createFieldRules({
  remove: ['user-agent', 'x-stainless-*'],
  set: [{ name: 'X-Set', value: 'set' }],
  keep: ['x-api-key'],
})
const trustedProxies = { ranges: [parseRange('192.0.2.0/24') as AddressRange], hasUnix: false }

const CONFIGURATIONS: readonly Snapshot[] = [
  configuration({}),
  configuration({ credential: 'pass', apiKey: undefined }),
  configuration({ credential: OWN }),
  configuration({ credential: OWN }, {}, true),
  configuration({ fields }),
  configuration({ credential: 'bearer', rewritesLocation: true }),
  configuration({}, {}, true),
  configuration({}, { cors: { allowOrigins: ['https://page.example'] } }),
  configuration({ credential: 'x-api-key' }, { trustedProxies }),
]

// ---- messages

const REQUEST_LINES = [
  'Host: gateway',
  'User-Agent: sdk/1',
  'Accept: */*',
  'x-a: b',
  'x-stainless-retry-count: 0',
  'X-Set: theirs',
  'X-Own: Token own',
  'Cookie: a=b',
  'Origin: https://page.example',
  'X-Forwarded-For: 198.51.100.1',
  'Forwarded: for=198.51.100.2',
  'traceparent: 00-0123',
  'Connection: keep-alive',
  'Connection: x-a',
  'Connection: close',
  'TE: trailers',
  'TE: gzip',
  'Expect: 100-continue',
  'Keep-Alive: 5',
  'Upgrade: h2c',
] as const

const CREDENTIAL_LINES = [
  `Authorization: Bearer ${KEY}`,
  `x-api-key: ${KEY}`,
  `api-key: ${OTHER_KEY}`,
  `x-goog-api-key: ${DIGITS_KEY}`,
  `x-api-key: ${COLON_KEY}`,
  `Authorization: Bearer ${TOKEN}`,
  `x-fluxgate-key: ${KEY}`,
  `X-Own: Token ${KEY}`,
  'Authorization: Negotiate abc',
  'Authorization: Bearer nobody',
  `Authorization: Bearer ${LATER_TOKEN}`,
] as const

const RESPONSE_LINES = [
  'Date: now',
  'Content-Type: application/json',
  'x-request-id: req-1',
  'request-id: req-2',
  'x-request-id: no id',
  'Location: http://api.example/base/x',
  'Set-Cookie: a=b',
  'Connection: keep-alive',
  'Connection: x-b',
  'Connection: close',
  'Keep-Alive: timeout=5',
  'x-b: c',
  'WWW-Authenticate: Negotiate',
  'Access-Control-Allow-Origin: *',
  'Upgrade: h2c',
  'Trailer: x',
] as const

const VALUES = [
  '',
  ' ',
  '\t',
  'c',
  ` ${KEY} `,
  ` Bearer ${KEY}`,
  ` Bearer ${OTHER_KEY}`,
  ` ${OTHER_KEY}`,
  ` ${COLON_KEY}`,
  ' b',
  '  b',
  ` a=${KEY}; b`,
  ` ${KEY.replace('_', '%5f')}`,
  ` Basic ${Buffer.from(`u:${KEY}`).toString('base64')}`,
  ` bAsIc x`,
  ' 50%',
  '\xff\xf0\x80\xff\xff\xff\xff\xff\xff',
  ' \x80',
  ' a\rb',
  ' a\nb',
  ' a\0b',
  ' \x7f',
  ' \r\n folded',
  ' a\r\nx-more: a',
  ' 7',
  ' 007',
  ' 0',
  ' 12',
  ' close',
  ' chunked',
  ' trailers',
  ' 203.0.113.9',
  ' https://other.example',
  ` Token ${KEY}`,
  ' Other x',
  ` ${'x'.repeat(300)}`,
  ` ${'y'.repeat(9_000)}`,
] as const

const BODIES = ['', 'a', 'hello', 'hello, all!!', '{"a":1}'.repeat(20), 'z'.repeat(20_000)] as const
const CHUNKS = [
  '0\r\n\r\n',
  '5\r\nhello\r\n0\r\n\r\n',
  '5;a="b"\r\nhello\r\n1;x\r\n!\r\n0;y\r\nX-T: t\r\nHost: b\r\n\r\n',
] as const

/** A message in parts. */
interface Message {
  readonly start: string
  readonly lines: readonly string[]
  /** How the length is written; `chunks`: it is not. */
  readonly framing: 'length' | 'zeros' | 'chunks' | 'none'
  readonly body: number
}

function write({ start, lines, framing, body }: Message): string {
  const content = framing === 'chunks' ? CHUNKS[body % CHUNKS.length]! : framing === 'none' ? '' : BODIES[body]!
  const said = {
    length: `Content-Length: ${content.length}\r\n`,
    zeros: `content-length:00${content.length} \r\n`,
    chunks: 'Transfer-Encoding: chunked\r\n',
    none: '',
  }[framing]
  return `${start}\r\n${lines.map((line) => `${line}\r\n`).join('')}${said}\r\n${content}`
}

const framing = fc.constantFrom<Message['framing']>('length', 'length', 'length', 'zeros', 'chunks', 'none')
const body = fc.nat(BODIES.length - 1)

const requestMessage: fc.Arbitrary<Message> = fc.record({
  start: fc
    .tuple(
      fc.constantFrom('POST', 'POST', 'GET', 'PUT', 'HEAD', 'OPTIONS'),
      fc.constantFrom('/up/v1/chat', '/up', '/up?x=%41', '/up/basic', 'http://gateway/up/x'),
    )
    .map(([method, target]) => `${method} ${target} HTTP/1.1`),
  lines: fc
    .tuple(
      fc.subarray([...REQUEST_LINES.slice(1)], { maxLength: 5 }),
      fc.subarray([...CREDENTIAL_LINES], { minLength: 1, maxLength: 2 }),
      fc.boolean(),
    )
    .map(([plain, credentials, isFirst]) =>
      isFirst ? [...credentials, REQUEST_LINES[0], ...plain] : [REQUEST_LINES[0], ...plain, ...credentials],
    ),
  framing,
  body,
})

const responseMessage: fc.Arbitrary<Message> = fc.record({
  start: fc.constantFrom(
    'HTTP/1.1 200 OK',
    'HTTP/1.1 200 OK',
    'HTTP/1.1 200 ',
    'HTTP/1.1 204 No Content',
    'HTTP/1.1 304 Not Modified',
    'HTTP/1.0 200 OK',
    'HTTP/1.1 500 x',
    'HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK',
  ),
  lines: fc.subarray([...RESPONSE_LINES], { maxLength: 5 }),
  framing,
  body,
})

/** What the next message has that the one before it had not. */
type Change =
  | readonly [what: 'value', line: number, value: number]
  | readonly [what: 'body', body: number]
  | readonly [what: 'rename' | 'double' | 'drop' | 'swap', line: number]
  | readonly [what: 'flip' | 'insert' | 'remove', at: number, octet: number]
  | readonly [what: 'empty line' | 'pipeline']

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant('value' as const), fc.nat(9), fc.nat(VALUES.length - 1)) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('body' as const), body) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom('rename' as const, 'double' as const, 'drop' as const, 'swap' as const), fc.nat(9)),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.constantFrom('flip' as const, 'insert' as const, 'remove' as const),
      fc.nat(400),
      fc.oneof(fc.nat(255), fc.constantFrom(0x20, 0x25, 0x0d, 0x0a, 0x30, 0x3a)),
    ),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('empty line' as const, 'pipeline' as const)) },
)

function changeLine(lines: readonly string[], [what, at, value]: readonly [string, number, number?]): readonly string[] {
  if (lines.length === 0) return lines
  const index = at % lines.length
  const line = lines[index]!
  const name = line.slice(0, line.indexOf(':') + 1)
  const others = lines.filter((_, i) => i !== index)
  if (what === 'value') return lines.with(index, name + VALUES[value!]!)
  if (what === 'rename') return lines.with(index, line.replace(/^./, (c) => String.fromCharCode(c.charCodeAt(0) ^ 0x20)))
  if (what === 'double') return [...lines, line]
  return what === 'drop' ? others : [line, ...others]
}

function changeText(text: string, [what, at = 0, octet = 0]: readonly [string, number?, number?]): string {
  if (what === 'empty line') return `\r\n${text}`
  if (what === 'pipeline') return text + text
  const place = at % text.length
  const put = what === 'remove' ? '' : String.fromCharCode(octet)
  return text.slice(0, place) + put + text.slice(what === 'insert' ? place : place + 1)
}

const IN_PARTS = new Set(['value', 'rename', 'double', 'drop', 'swap'])

function changed(message: Message, changes: readonly Change[]): { message: Message; text: string } {
  let next = message
  for (const each of changes) {
    if (each[0] === 'body') next = { ...next, body: each[1] as number }
    else if (IN_PARTS.has(each[0])) next = { ...next, lines: changeLine(next.lines, each as never) }
  }
  let text = write(next)
  for (const each of changes) if (each[0] !== 'body' && !IN_PARTS.has(each[0])) text = changeText(text, each as never)
  return { message: next, text }
}

const changes = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Change[]>([]) },
  { weight: 3, arbitrary: fc.array(change, { minLength: 1, maxLength: 1 }) },
  { weight: 1, arbitrary: fc.array(change, { minLength: 2, maxLength: 3 }) },
)

interface Step {
  readonly ofRequest: readonly Change[]
  readonly ofResponse: readonly Change[]
  /** The change stays; else the next message is one of the first again. */
  readonly stays: boolean
  readonly at: readonly number[]
  readonly isStale: boolean
  readonly isChoked: boolean
}

const rarely = fc.nat(7).map((so) => so === 0)

const step: fc.Arbitrary<Step> = fc.record({
  ofRequest: changes,
  ofResponse: changes,
  stays: fc.boolean(),
  at: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.array(fc.nat(500), { maxLength: 3 }) }),
  isStale: rarely,
  isChoked: rarely,
})

function turns(first: Message, firstAnswer: Message, steps: readonly Step[]): Turn[] {
  let request = first
  let response = firstAnswer
  return steps.map(({ ofRequest, ofResponse, stays, ...how }, i) => {
    const asked = changed(request, i === 0 ? [] : ofRequest)
    const answered = changed(response, i === 0 ? [] : ofResponse)
    if (stays) {
      request = asked.message
      response = answered.message
    }
    return { request: asked.text, response: answered.text, ...how }
  })
}

export interface Repetitions {
  readonly configuration: number
  readonly turns: readonly Turn[]
}

export const repeatedHeads: ValueTarget<Repetitions> = {
  name: 'repeated-heads',
  about: 'a head that repeats another one of its connection becomes what it would become alone',
  values: (scale) =>
    fc
      .tuple(
        fc.nat(CONFIGURATIONS.length - 1),
        requestMessage,
        responseMessage,
        fc.array(step, { minLength: 2, maxLength: 5 + 3 * scale }),
      )
      .map(([index, request, response, steps]) => ({
        configuration: index,
        turns: turns(request, response, steps),
      })),
  async check({ configuration: index, turns: all }) {
    const snapshot = CONFIGURATIONS[index]!
    const one = new OneConnection(snapshot)
    let compared = 0
    try {
      for (const turn of all) {
        const alone = new OneConnection(snapshot)
        const expected = await alone.say(turn)
        const isReady = await alone.isReady()
        alone.close()
        assert.deepEqual(await one.say(turn), expected, `turn ${compared}`)
        compared++
        if (!isReady) break
      }
    } finally {
      one.close()
    }
    return `${compared}`
  },
}
