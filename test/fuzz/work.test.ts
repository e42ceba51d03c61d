import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, test } from 'node:test'
import { memberNames, nestingDepth } from '../../src/access/json-members.ts'
import { verifyJwt } from '../../src/access/jwt.ts'
import { isRefused } from '../../src/http/downstream.ts'
import { BodyFollower } from '../../src/http1/body-follower.ts'
import { connectionSpecificEdit, encodeRequestHead, encodeResponseHead } from '../../src/http1/encoder.ts'
import { HeadReader } from '../../src/http1/head-reader.ts'
import { parseRequestHead, readRequestLine } from '../../src/http1/parse-request.ts'
import { parseResponseHead } from '../../src/http1/parse-response.ts'
import { ServedClient } from '../unit/http1/served.ts'

/*
 * Work may grow with the bytes that make it, and not with their square. What counts is the ratio between a small input and one
 * four times as large: 4 where work is linear, 16 where it is quadratic.
 */
const SMALL = 15_000
const LARGE = 4 * SMALL
const LIMIT = 9

/** A piece of work on an input of this size; what can be prepared is prepared. */
type Work = (bytes: number) => () => unknown

function msOf(work: () => unknown, times: number): number {
  const before = performance.now()
  for (let i = 0; i < times; i++) work()
  return performance.now() - before
}

/** Of the least time that each has taken, in turn, so that whatever else the machine does falls on both. */
function ratioOf(work: Work): number {
  const small = work(SMALL)
  const large = work(LARGE)
  // Long enough for the clock, and for the compiler to have done its part.
  let times = 1
  while (msOf(small, times) < 1 && times < 1_000) times *= 2
  let [leastSmall, leastLarge] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let run = 0; run < 5; run++) {
    leastSmall = Math.min(leastSmall, msOf(small, times))
    leastLarge = Math.min(leastLarge, msOf(large, times))
  }
  return leastLarge / leastSmall
}

function isLinear(what: string, work: Work): void {
  test(what, () => {
    let ratio = Number.POSITIVE_INFINITY
    for (let attempt = 0; attempt < 4 && ratio > LIMIT; attempt++) ratio = ratioOf(work)
    assert.ok(ratio <= LIMIT, `four times the bytes take ${ratio.toFixed(1)} times the work`)
  })
}

const SPICE = [
  ' ',
  '\t',
  ',',
  ', ',
  ';',
  ';a',
  '"',
  ':',
  '=',
  'a',
  'a,',
  '%',
  '%2e',
  '.',
  '.;',
  '/',
  '\\',
  '\\.;',
  '..',
  '[',
  '\xa0',
]

/** The spice until the text is that long, and then something that fits to none. */
function fill(spice: string, bytes: number): string {
  return `${spice.repeat(Math.floor(bytes / spice.length))}!`
}

function parseRequest(text: string): unknown {
  const head = parseRequestHead(text, 0)
  if (isRefused(head)) return head
  return encodeRequestHead(
    head,
    '/',
    head.lines.map((line) => connectionSpecificEdit(head.text, line)),
    '',
  )
}

function parseResponse(text: string): unknown {
  const head = parseResponseHead(text, 'GET')
  return head && encodeResponseHead(head, true)
}

/** Requests and responses, one for each spice. */
const requests = (write: (spice: string) => string): (() => unknown) => {
  const texts = SPICE.map(write)
  return () => texts.map(parseRequest)
}
const responses = (write: (spice: string) => string): (() => unknown) => {
  const texts = SPICE.map(write)
  return () => texts.map(parseResponse)
}

describe('the work of a head grows with its bytes', () => {
  isLinear('a target', (bytes) => requests((spice) => `GET /${fill(spice, bytes / 2)} HTTP/1.1\r\nHost: a\r\n\r\n`))
  isLinear('an absolute target', (bytes) =>
    requests((spice) => `GET http://${fill(spice, bytes / 2)} HTTP/1.1\r\nHost: a\r\n\r\n`),
  )
  isLinear('a method', (bytes) => requests((spice) => `${fill(spice, bytes)} / HTTP/1.1\r\nHost: a\r\n\r\n`))
  isLinear('a version', (bytes) => requests((spice) => `GET / ${fill(spice, bytes)}\r\nHost: a\r\n\r\n`))
  isLinear('a name', (bytes) => requests((spice) => `GET / HTTP/1.1\r\nHost: a\r\n${fill(spice, bytes)}: b\r\n\r\n`))
  isLinear('a reason phrase', (bytes) => responses((spice) => `HTTP/1.1 200 ${fill(spice, bytes)}\r\n\r\n`))

  for (const name of [
    'Host',
    'Content-Length',
    'Transfer-Encoding',
    'Connection',
    'TE',
    'Upgrade',
    'Expect',
    'X-Plain',
  ])
    isLinear(`${name} of a request`, (bytes) =>
      requests((spice) => `GET / HTTP/1.1\r\nHost: a\r\n${name}: ${fill(spice, bytes)}\r\n\r\n`),
    )
  for (const name of ['Content-Length', 'Transfer-Encoding', 'Connection', 'Keep-Alive', 'TE'])
    isLinear(`${name} of a response`, (bytes) =>
      responses((spice) => `HTTP/1.1 200 OK\r\n${name}: ${fill(spice, bytes)}\r\n\r\n`),
    )

  for (const line of [
    'a:',
    'Connection: a',
    'Connection: close',
    'Transfer-Encoding: chunked',
    'Content-Length: 1',
    'TE: a',
    'Keep-Alive: timeout=1',
  ])
    isLinear(`many lines of ${line}`, (bytes) => {
      const section = `${line}\r\n`.repeat(bytes / (line.length + 2))
      return () => [
        parseRequest(`GET / HTTP/1.1\r\nHost: a\r\n${section}\r\n`),
        parseResponse(`HTTP/1.1 200 OK\r\n${section}\r\n`),
      ]
    })

  isLinear('many names that are nominated, and many lines that are not', (bytes) => {
    const section = `Connection: ${'aab,'.repeat(bytes / 8)}\r\n${'aac:\r\n'.repeat(bytes / 12)}`
    return () => [
      parseRequest(`GET / HTTP/1.1\r\nHost: a\r\n${section}\r\n`),
      parseResponse(`HTTP/1.1 200 OK\r\n${section}\r\n`),
    ]
  })

  isLinear('many different names that are nominated', (bytes) => {
    const names = Array.from({ length: bytes / 12 }, (_, i) => `n${String(i).padStart(4, '0')}`)
    const section = `Connection: ${names.join(',')}\r\n${names.map((name) => `${name}:\r\n`).join('')}`
    return () => parseResponse(`HTTP/1.1 200 OK\r\n${section}\r\n`)
  })

  isLinear('the request line of what is no head', (bytes) => {
    const texts = SPICE.map((spice) => `${fill(spice, bytes)}\n`)
    return () => texts.map(readRequestLine)
  })
})

describe('the work of reading grows with the bytes, however they come', () => {
  for (const [what, line] of [
    ['one long line', 'a'],
    ['short lines', 'a:\r\n'],
  ] as const)
    isLinear(`a head byte by byte, ${what}`, (bytes) => {
      const buffer = Buffer.from(`GET / HTTP/1.1\r\nX: ${line.repeat(bytes / line.length)}`)
      return () => {
        const reader = new HeadReader()
        for (let at = 0; at < buffer.length; at++) reader.read(buffer, at, at + 1)
      }
    })

  const follow = (text: string, step: number): (() => unknown) => {
    const original = Buffer.from(text, 'latin1')
    const buffer = Buffer.alloc(original.length)
    return () => {
      original.copy(buffer)
      const body = new BodyFollower()
      body.start('chunked', 0)
      for (let at = 0; at < buffer.length && !body.isFailed; at += step)
        body.follow(buffer, at, Math.min(buffer.length, at + step))
    }
  }

  for (const [what, text] of [
    ['chunks of one byte', '1\r\nx\r\n'],
    ['chunks with extensions', '1;a\r\nxxxxxxxxxxxxxxxxxxxx\r\n'.replace('1', '14')],
    ['a size of zeros', '0'],
    ['an extension', ';a="\\""'],
  ] as const) {
    isLinear(`${what}, at once`, (bytes) => follow(text.repeat(bytes / text.length), LARGE))
    isLinear(`${what}, byte by byte`, (bytes) => follow(text.repeat(bytes / text.length), 1))
  }

  // A trailer section has a limit of 16 KiB, so these grow up to it.
  for (const [what, line] of [
    ['one trailer', 'x'],
    ['many trailers', 'a:\r\n'],
    ['many trailers that go no further', 'TE:\r\n'],
  ] as const) {
    const section = (bytes: number): string => `0\r\nA: \r\n${line.repeat(bytes / 4 / line.length)}`
    isLinear(`${what}, at once`, (bytes) => follow(section(bytes), LARGE))
    isLinear(`${what}, byte by byte`, (bytes) => follow(section(bytes), 1))
  }

  isLinear('requests that are sent ahead, byte by byte', (bytes) => () => {
    const client = new ServedClient()
    client.sends('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const octet = Buffer.from('G')
    for (let i = 0; i < bytes; i++) client.connection.onBytes(octet, 1)
    client.last.downstream.finish(true)
    client.connection.close()
  })

  isLinear('requests that are sent ahead, and answered one by one', (bytes) => () => {
    const client = new ServedClient()
    const request = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    for (let i = 0; i < bytes / request.length; i++) client.connection.onBytes(request, request.length)
    while (client.exchanges.length < bytes / request.length) client.last.downstream.finish(true)
    client.connection.close()
  })
})

describe('the work of a token grows with its bytes', () => {
  const secret = Buffer.alloc(32)
  const keys = () =>
    new Map([['k', { secret, identity: { name: 'k', routes: { isEmpty: true, find: () => undefined } } }]])
  const encode = (text: string): string => Buffer.from(text).toString('base64url')
  const sign = (header: string, claims: string): string => {
    const signed = `${encode(header)}.${encode(claims)}`
    return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
  }
  const HEADER = '{"alg":"HS256","typ":"JWT","kid":"k"'

  for (const [what, filling] of [
    ['members', ',"a":1'],
    ['escapes', '\\u0061'],
    ['quotes', ',"\\"\\"":""'],
    ['brackets', ',"a":[]'],
  ] as const) {
    // Up to the 16 KiB that a token may have, so a quarter of the sizes elsewhere.
    const member = (bytes: number): string =>
      what === 'escapes'
        ? `,"b":"${filling.repeat(bytes / 8 / filling.length)}"`
        : filling.repeat(bytes / 8 / filling.length)
    isLinear(`${what} in its claims`, (bytes) => {
      const token = sign(`${HEADER}}`, `{"x":0${member(bytes)}}`)
      return () => verifyJwt(token, keys(), 0)
    })
    isLinear(`${what} in its header, unsigned`, (bytes) => {
      const token = `${encode(`${HEADER}${member(bytes)}}`)}.e30.AAAA`
      return () => verifyJwt(token, keys(), 0)
    })
  }

  isLinear('names and nesting', (bytes) => {
    const json = `{${Array.from({ length: bytes / 8 }, (_, i) => `"${i}":[]`).join(',')}}`
    const deep = '['.repeat(bytes)
    return () => [memberNames(json), nestingDepth(deep)]
  })
})
