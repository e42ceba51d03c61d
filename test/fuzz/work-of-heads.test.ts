import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { isRefused } from '../../src/http/downstream.ts'
import { connectionSpecificEdit, encodeHead, encodeResponseHead } from '../../src/http1/encoder.ts'
import { parseFieldSection } from '../../src/http1/field-section.ts'
import { parseRequestHead, readRequestLine } from '../../src/http1/parse-request.ts'
import { parseResponseHead } from '../../src/http1/parse-response.ts'
import { growsWithItsInput } from '../support/growth.ts'

const HEAD_BYTES = 60_000
const TARGET_BYTES = 32_000
const REQUEST_LINES = 240

/** What text is filled with: what one rule or another of a head looks at. */
const IN_TOKENS = ['a', '%', '%2e', '.', '..']
const IN_HOSTS = [...IN_TOKENS.filter((spice) => spice !== '%'), ';', ';a', '=', '.;', '[']
const VISIBLE = [...IN_TOKENS, '\\.a', '%2f.a', ',', ';', ';a', '"', ':', '=', 'a,', '.;', '/', '\\', '\\.;', '[']
const SPICE = [...VISIBLE, ' ', '\t', ', ', '\xa0', 'timeout=', ',timeout=']

/** The spice until the text is that long. */
function fill(spice: string, bytes: number): string {
  return spice.repeat(Math.floor(bytes / spice.length))
}

/** The failure's code, and the target as a sign of how far the head was read. */
function parseRequest(text: string): string {
  const head = parseRequestHead(text, 0)
  if (isRefused(head)) return `${head.failure} ${head.target.slice(0, 1)}`
  const edits = head.lines.map((line) => connectionSpecificEdit(head.text, line))
  encodeHead(head, {
    startLine: `${head.method} / HTTP/1.1\r\n`,
    lines: head.lines,
    edits,
    appended: '',
  })
  return head.end === text.length ? 'whole' : 'cut short'
}

function parseResponse(text: string): string {
  const head = parseResponseHead(text, 'GET')
  if (typeof head === 'string') return 'refused'
  encodeResponseHead(head, true)
  return head.end === text.length ? 'whole' : 'cut short'
}

/** A text for each spice, and for each what must become of it. */
function eachGrows(
  what: string,
  size: number,
  spices: readonly string[],
  parse: (text: string) => string,
  write: (spice: string, bytes: number) => readonly [text: string, outcome: string],
): void {
  growsWithItsInput(
    what,
    size,
    (bytes) => {
      const texts = spices.map((spice) => write(spice, bytes)[0])
      return () => texts.map(parse)
    },
    (outcomes, bytes) => {
      assert.ok(spices.length > 0)
      assert.deepEqual(
        outcomes,
        spices.map((spice) => write(spice, bytes)[1]),
      )
      for (const spice of spices) assert.ok(write(spice, bytes)[0].length > bytes * 0.9)
    },
  )
}

describe('the work of a request line grows with its bytes', () => {
  // Its last segment is what makes it a bad one, so it was read to its end.
  const isDotted = (spice: string): boolean => spice === '.;' || spice === '\\.;'
  eachGrows('a target', TARGET_BYTES, VISIBLE, parseRequest, (spice, bytes) => [
    `GET /${fill(spice, bytes)}! HTTP/1.1\r\nHost: a\r\n\r\n`,
    isDotted(spice) ? 'bad_target /' : 'whole',
  ])
  eachGrows('a target that ends with a dot segment', TARGET_BYTES, VISIBLE, parseRequest, (spice, bytes) => [
    `GET /${fill(spice, bytes - 3)}/.. HTTP/1.1\r\nHost: a\r\n\r\n`,
    'bad_target /',
  ])
  eachGrows('an authority', TARGET_BYTES, VISIBLE, parseRequest, (spice, bytes) => {
    const authority = /^[^/]*/.exec(`a${fill(spice, bytes - 9)}!`)![0]
    // An authority that is no host is seen after the target.
    return [
      `GET http://a${fill(spice, bytes - 9)}! HTTP/1.1\r\nHost: ${authority}\r\n\r\n`,
      /^(?:[\w.~!;=-]|%2[ef])*$/.test(authority) ? 'whole' : 'bad_host h',
    ]
  })
  eachGrows('a method', HEAD_BYTES, IN_TOKENS, parseRequest, (spice, bytes) => [
    `${fill(spice, bytes)} / HTTP/1.1\r\nHost: a\r\n\r\n`,
    'whole',
  ])
  // A refusal that knows the target comes after the target.
  eachGrows('a version', HEAD_BYTES, SPICE, parseRequest, (spice, bytes) => [
    `GET / ${fill(spice, bytes)}!\r\nHost: a\r\n\r\n`,
    'bad_request_line /',
  ])

  const readLine = (text: string): string => {
    const { hasRequestLine, method, target } = readRequestLine(text)
    return `${hasRequestLine} ${method.slice(0, 1)} ${target.slice(0, 1)}`
  }
  eachGrows('the request line of what is no head', HEAD_BYTES, SPICE, readLine, (spice, bytes) => [
    `G t${fill(spice, bytes)}!\n`,
    'true G t',
  ])
  eachGrows('the blanks after a request line', HEAD_BYTES, [' ', '\t', '\xa0'], readLine, (spice, bytes) => [
    `G t${fill(spice, bytes)}\n`,
    'true G t',
  ])
})

describe('the work of a field grows with its bytes', () => {
  const request = (line: string): string => `GET / HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`
  const response = (line: string): string => `HTTP/1.1 200 OK\r\n${line}\r\n\r\n`

  eachGrows('a name', HEAD_BYTES, IN_TOKENS, parseRequest, (spice, bytes) => [
    request(`${fill(spice, bytes)}: b`),
    'whole',
  ])
  eachGrows('a reason phrase', HEAD_BYTES, SPICE, parseResponse, (spice, bytes) => [
    `HTTP/1.1 200 ${fill(spice, bytes)}\r\n\r\n`,
    'whole',
  ])

  // The last octet decides, so all that stand before it were looked at.
  for (const [end, ofHost] of [
    ['!', 'whole'],
    ['/', 'bad_host /'],
  ] as const)
    eachGrows(`Host, ${ofHost}`, HEAD_BYTES, IN_HOSTS, parseRequest, (spice, bytes) => [
      `GET / HTTP/1.1\r\nHost: a${fill(spice, bytes)}${end}\r\n\r\n`,
      spice === '[' ? 'bad_host /' : ofHost,
    ])
  for (const [end, ofRequest, ofResponse] of [
    ['1', 'whole', 'whole'],
    ['1x', 'bad_framing /', 'refused'],
  ] as const) {
    const line = (spice: string, bytes: number): string => `Content-Length: ${fill(spice, bytes)}${end}`
    eachGrows(
      `Content-Length of a request, ${ofRequest}`,
      HEAD_BYTES,
      ['0', ' ', '\t'],
      parseRequest,
      (spice, bytes) => [request(line(spice, bytes)), ofRequest],
    )
    eachGrows(
      `Content-Length of a response, ${ofResponse}`,
      HEAD_BYTES,
      ['0', ' ', '\t'],
      parseResponse,
      (spice, bytes) => [response(line(spice, bytes)), ofResponse],
    )
  }
  for (const name of ['Transfer-Encoding', 'Connection', 'TE', 'Upgrade', 'Expect', 'X-Plain'])
    eachGrows(`${name} of a request`, HEAD_BYTES, SPICE, parseRequest, (spice, bytes) => [
      request(`${name}: ${fill(spice, bytes)}!`),
      name === 'Transfer-Encoding' ? 'bad_transfer_coding /' : 'whole',
    ])
  for (const name of ['Transfer-Encoding', 'Connection', 'TE', 'Keep-Alive'])
    eachGrows(`${name} of a response`, HEAD_BYTES, SPICE, parseResponse, (spice, bytes) => [
      response(`${name}: ${fill(spice, bytes)}!`),
      name === 'Transfer-Encoding' ? 'refused' : 'whole',
    ])
})

/** Parses a section of this many lines, with what became of it. Each section must have as many lines as it is said to have. */
function sectionGrows(
  what: string,
  size: number,
  start: string,
  parse: (text: string) => string,
  outcome: string,
  write: (size: number) => readonly string[],
): void {
  growsWithItsInput(
    what,
    size,
    (each) => {
      const text = `${start}${write(each).join('\r\n')}\r\n\r\n`
      return () => parse(text)
    },
    (reached, each) => {
      assert.equal(reached, outcome)
      const section = `${write(each).join('\r\n')}\r\n\r\n`
      const { count, end } = parseFieldSection(section, 0)
      assert.deepEqual([count, end], [write(each).length, section.length])
    },
  )
}

const requestGrows = (what: string, outcome: string, write: (lines: number) => readonly string[]): void =>
  sectionGrows(what, REQUEST_LINES, 'GET / HTTP/1.1\r\nHost: a\r\n', parseRequest, outcome, write)
const responseGrows = (what: string, outcome: string, write: (bytes: number) => readonly string[]): void =>
  sectionGrows(what, HEAD_BYTES, 'HTTP/1.1 200 OK\r\n', parseResponse, outcome, write)

/** As long as a value may be in every line of a request that has as many as may be. */
const LONG = 'x'.repeat(200)

describe('the work of a section grows with its lines', () => {
  // What is refused for its framing has been read to its last line.
  for (const [line, ofRequest, ofResponse] of [
    ['a:', 'whole', 'whole'],
    ['Connection: a', 'whole', 'whole'],
    ['Connection: close', 'whole', 'whole'],
    ['Transfer-Encoding: chunked', 'bad_transfer_coding /', 'refused'],
    ['Content-Length: 1', 'bad_framing /', 'refused'],
    [`Transfer-Encoding: ${LONG}`, 'bad_transfer_coding /', 'refused'],
    [`Connection: ${LONG}`, 'whole', 'whole'],
    ['TE: a', 'whole', 'whole'],
    ['Keep-Alive: timeout=1', 'whole', 'whole'],
  ] as const) {
    const name = line.slice(0, 30)
    requestGrows(`a request of lines ${name}`, ofRequest, (lines) => Array<string>(lines).fill(line))
    responseGrows(`a response of lines ${name}`, ofResponse, (bytes) =>
      Array<string>(Math.floor(bytes / (line.length + 2))).fill(line),
    )
  }

  const nominating = (names: readonly string[], lines: readonly string[]): string[] => [
    `Connection: ${names.join(',')}`,
    ...lines.map((name) => `${name}:`),
  ]
  const numbered = (count: number): string[] =>
    Array.from({ length: count }, (_, i) => `n${String(i).padStart(4, '0')}`)

  requestGrows('a request with a name nominated often, and lines of another', 'whole', (lines) =>
    nominating(Array<string>(lines * 50).fill('aab'), Array<string>(lines).fill('aac')),
  )
  responseGrows('a response with a name nominated often, and lines of another', 'whole', (bytes) =>
    nominating(Array<string>(bytes / 8).fill('aab'), Array<string>(bytes / 12).fill('aac')),
  )
  requestGrows('a request with many names nominated', 'whole', (lines) =>
    nominating(numbered(lines * 20), numbered(lines)),
  )
  responseGrows('a response with many names nominated', 'whole', (bytes) =>
    nominating(numbered(bytes / 16), numbered(bytes / 16)),
  )
})
