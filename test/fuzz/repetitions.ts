import fc from 'fast-check'
import { signToken } from '../support/tokens.ts'
import type { Turn } from './one-connection.ts'

/*
 * Messages that repeat the one before them, but for what their senders change from one to the next, and what nobody should.
 */

/** Static keys. */
export const KEY = 'fgk_0123456789abcdef'
export const OTHER_KEY = 'fgk_fedcba9876543210'
/** They could stand where no value is looked at: in a length, and around a colon. */
export const DIGITS_KEY = '12'
export const COLON_KEY = 'x-a: b'
/** Of tokens whose `kid` is `k`. */
export const SECRET = Buffer.alloc(32, 7)
const TOKEN = signToken('k', SECRET, { sub: 'somebody', exp: 4_000_000_000 })
const LATER_TOKEN = signToken('k', SECRET, { nbf: 4_000_000_000 })
const REQUEST_LINES = [
  'Host: gateway',
  'User-Agent: sdk/1',
  'Accept: */*',
  'x-a: b',
  'x-stainless-retry-count: 0',
  'X-Set: theirs',
  'X-Own: Token own',
  'Cookie: a=b',
  'x-request-id: theirs',
  'WWW-Authenticate: theirs',
  'Origin: https://page.example',
  'X-Forwarded-For: 198.51.100.1',
  'Forwarded: for=198.51.100.2',
  'Access-Control-Request-Method: no method',
  'Access-Control-Request-Headers: no;name',
  'traceparent: 00-0123',
  'Connection: keep-alive',
  'Connection: x-a',
  'Connection: close',
  'TE: trailers',
  'TE: gzip',
  'Expect: 100-continue',
  'Keep-Alive: 5',
  'Upgrade: h2c',
  'Connection: Upgrade',
  'Upgrade: websocket',
  `Sec-WebSocket-Protocol: a, openai-insecure-api-key.${KEY}`,
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
  'x-request-id: req-3',
  'apim-request-id: req-4',
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
  ' for=203.0.113.9',
  ' GET',
  ' x-a',
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

const FRAMINGS = ['length', 'length', 'length', 'zeros', 'blanks', 'chunks', 'none'] as const

/** A message in parts. */
export interface Message {
  readonly start: string
  readonly lines: readonly string[]
  /** How the length is written; `chunks`: it is not. */
  readonly framing: (typeof FRAMINGS)[number]
  readonly body: number
}

function write({ start, lines, framing, body }: Message): string {
  const content = framing === 'chunks' ? CHUNKS[body % CHUNKS.length]! : framing === 'none' ? '' : BODIES[body]!
  const said = {
    length: `Content-Length: ${content.length}\r\n`,
    zeros: `Content-Length: 00${content.length}\r\n`,
    blanks: `content-length:\t${content.length} \r\n`,
    chunks: 'Transfer-Encoding: chunked\r\n',
    none: '',
  }[framing]
  return `${start}\r\n${lines.map((line) => `${line}\r\n`).join('')}${said}\r\n${content}`
}

const framing = fc.constantFrom(...FRAMINGS)
const body = fc.nat(BODIES.length - 1)

const METHODS = ['POST', 'POST', 'GET', 'PUT', 'HEAD', 'OPTIONS'] as const
const TARGETS = [
  '/up/v1/chat',
  '/up',
  '/up?x=%41',
  '/up/basic',
  'http://gateway/up/x',
  `/up?key=${KEY}`,
  `http://gateway/up/x?a&api-key=${OTHER_KEY}&key=own`,
] as const
const STATUS_LINES = [
  'HTTP/1.1 200 OK',
  'HTTP/1.1 200 OK',
  'HTTP/1.1 200 ',
  'HTTP/1.1 204 No Content',
  'HTTP/1.1 304 Not Modified',
  'HTTP/1.0 200 OK',
  'HTTP/1.1 500 x',
  'HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK',
] as const

export const requestMessage: fc.Arbitrary<Message> = fc.record({
  start: fc
    .tuple(fc.constantFrom(...METHODS), fc.constantFrom(...TARGETS))
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

export const responseMessage: fc.Arbitrary<Message> = fc.record({
  start: fc.constantFrom(...STATUS_LINES),
  lines: fc.subarray([...RESPONSE_LINES], { maxLength: 5 }),
  framing,
  body,
})

/** What the next message has that the one before it had not. */
type Change =
  | readonly [what: 'value', line: number, value: number]
  | readonly [what: 'body' | 'framing' | 'start', index: number]
  | readonly [what: 'rename' | 'double' | 'drop' | 'swap', line: number]
  | readonly [what: 'flip' | 'insert' | 'remove', at: number, octet: number]
  | readonly [what: 'empty line' | 'pipeline']

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant('value' as const), fc.nat(9), fc.nat(VALUES.length - 1)) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('body' as const), body) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('framing' as const, 'start' as const), fc.nat(6)) },
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.constantFrom('rename' as const, 'double' as const, 'drop' as const, 'swap' as const),
      fc.nat(9),
    ),
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

function changeLine(
  lines: readonly string[],
  [what, at, value]: readonly [string, number, number?],
): readonly string[] {
  if (lines.length === 0) return lines
  const index = at % lines.length
  const line = lines[index]!
  const name = line.slice(0, line.indexOf(':') + 1)
  const others = lines.filter((_, i) => i !== index)
  if (what === 'value') return lines.with(index, name + VALUES[value!]!)
  if (what === 'rename')
    return lines.with(
      index,
      line.replace(/^./, (c) => String.fromCharCode(c.charCodeAt(0) ^ 0x20)),
    )
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

const IN_LINES = new Set(['value', 'rename', 'double', 'drop', 'swap'])
const IN_TEXT = new Set(['flip', 'insert', 'remove', 'empty line', 'pipeline'])

/** Another method, or another status. */
function otherStart(start: string, index: number): string {
  if (start.startsWith('HTTP/')) return STATUS_LINES[index % STATUS_LINES.length]!
  return METHODS[index % METHODS.length]! + start.slice(start.indexOf(' '))
}

function changed(message: Message, changes: readonly Change[]): { message: Message; text: string } {
  let next = message
  for (const each of changes) {
    const index = each[1] as number
    if (each[0] === 'body') next = { ...next, body: index }
    else if (each[0] === 'framing') next = { ...next, framing: FRAMINGS[index]! }
    else if (each[0] === 'start') next = { ...next, start: otherStart(next.start, index) }
    else if (IN_LINES.has(each[0])) next = { ...next, lines: changeLine(next.lines, each as never) }
  }
  let text = write(next)
  for (const each of changes) if (IN_TEXT.has(each[0])) text = changeText(text, each as never)
  return { message: next, text }
}

const changes = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Change[]>([]) },
  { weight: 3, arbitrary: fc.array(change, { minLength: 1, maxLength: 1 }) },
  { weight: 1, arbitrary: fc.array(change, { minLength: 2, maxLength: 3 }) },
)

export interface Step {
  readonly ofRequest: readonly Change[]
  readonly ofResponse: readonly Change[]
  /** The change stays; else the next message is one of the first again. */
  readonly stays: boolean
  readonly at: readonly number[]
  readonly isStale: boolean
  readonly isChoked: boolean
}

const rarely = fc.nat(7).map((so) => so === 0)

export const step: fc.Arbitrary<Step> = fc.record({
  ofRequest: changes,
  ofResponse: changes,
  stays: fc.boolean(),
  at: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(fc.nat(500), { maxLength: 3 }) },
  ),
  isStale: rarely,
  isChoked: rarely,
})

/** What is said and answered, one after the other. */
export function turns(first: Message, firstAnswer: Message, steps: readonly Step[]): Turn[] {
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
