import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Message } from '../../../../src/tools/diff/message.ts'
import { MessageReader } from '../../../../src/tools/diff/message-reader.ts'
import { bytesOf, readPieces, readRequest, readResponse } from './wire.ts'

type Seen = Partial<Record<keyof Message, unknown>>

const OK = 'HTTP/1.1 200 OK\r\n'

const RESPONSES: readonly (readonly [name: string, text: string, seen: Seen, method?: string])[] = [
  ['a length', `${OK}Content-Length: 2\r\n\r\nhi`, { framing: 'length', end: 'whole' }],
  ['a length that is not reached', `${OK}Content-Length: 3\r\n\r\nhi`, { framing: 'length', end: 'cut' }],
  ['no length at all', `${OK}\r\nhi`, { framing: 'until-close', end: 'whole' }],
  ['a length that is none', `${OK}Content-Length: x\r\n\r\n`, { end: 'unreadable', fault: 'its length is none' }],
  ['HEAD', `${OK}Content-Length: 9\r\n\r\n`, { framing: 'none', end: 'whole' }, 'HEAD'],
  ['204', 'HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n', { framing: 'none', end: 'whole' }],
  ['304', 'HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n', { framing: 'none', end: 'whole' }],
  ['101', 'HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n', { framing: 'none', end: 'whole', interim: [] }],
  ['further bytes', `${OK}Content-Length: 1\r\n\r\nhi`, { surplus: bytesOf('i'), content: bytesOf('h') }],
  [
    'chunks, extensions and trailers',
    `${OK}transfer-encoding: Chunked\r\nContent-Length: 9\r\n\r\n01;x=y\r\nh\r\n1 \r\ni\r\n00\r\nX: 1\r\nx:2\r\n\r\n`,
    { framing: 'chunked', chunkLines: ['01;x=y', '1 ', '00'], trailers: ['X: 1', 'x:2'], end: 'whole' },
  ],
  ['a chunk that is too long', `${OK}Transfer-Encoding: chunked\r\n\r\n1\r\nhi\r\n`, { end: 'unreadable' }],
  ['a chunk without a size', `${OK}Transfer-Encoding: chunked\r\n\r\nx\r\nhi\r\n`, { end: 'unreadable' }],
  ['no last chunk', `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n`, { end: 'cut', content: bytesOf('hi') }],
  [
    'interim responses',
    `HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n${OK}Content-Length: 0\r\n\r\n`,
    {
      interim: [
        { startLine: 'HTTP/1.1 100 Go', lines: [] },
        { startLine: 'HTTP/1.1 103 Hints', lines: ['Link: a'] },
      ],
      startLine: 'HTTP/1.1 200 OK',
      framing: 'length',
    },
  ],
  ['half a head', 'HTTP/1.1 200 OK\r\nX: 1\r\n', { startLine: 'HTTP/1.1 200 OK', lines: ['X: 1'], end: 'cut' }],
  ['nothing', '', { startLine: '', lines: [], end: 'cut' }],
]

function pick(message: Message, like: Seen): Seen {
  return Object.fromEntries(Object.keys(like).map((key) => [key, message[key as keyof Message]]))
}

describe('a message is read', () => {
  for (const [name, text, seen, method] of RESPONSES) {
    test(`with ${name}`, () => assert.deepEqual(pick(readResponse(text, method), seen), seen))

    test(`with ${name}, byte by byte`, () => {
      assert.deepEqual(readPieces([...text], method ?? 'GET'), readResponse(text, method))
    })
  }

  test('that is a request without a body', () => {
    const message = readRequest('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.deepEqual([message.framing, message.end, message.startLine], ['none', 'whole', 'GET / HTTP/1.1'])
  })

  test('with all its bytes, and only those', () => {
    const text = `HTTP/1.1 100 Go\r\n\r\n${OK}Content-Length: 2\r\n\r\nhi`
    assert.equal(readResponse(`${text}more`).raw.toString('latin1'), text)
  })

  test('that is reset, so that a body until the close is not whole', () => {
    const reader = new MessageReader('GET')
    reader.push(bytesOf(`${OK}\r\nhi`))
    reader.close(false)
    assert.equal(reader.message().end, 'cut')
  })

  for (const [name, begin, piece, times, fault] of [
    ['a head without an end', 'HTTP/1.1 200 OK\r\n', `X: ${'x'.repeat(60_000)}\r\n`, 20, /head .* larger than 1 MiB/],
    ['a line without an end', `${OK}Transfer-Encoding: chunked\r\n\r\n`, '0'.repeat(60_000), 20, /line .* 1 MiB/],
    ['chunks without number', `${OK}Transfer-Encoding: chunked\r\n\r\n`, '1\r\na\r\n'.repeat(9_000), 120, /parts/],
    ['interim responses without number', '', 'HTTP/1.1 100 \r\n\r\n'.repeat(9_000), 120, /parts/],
    ['trailers without number', `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n`, 'a:\r\n'.repeat(9_000), 120, /parts/],
    ['content without end', `${OK}\r\n`, 'x'.repeat(1024 * 1024), 257, /256 MiB/],
  ] as const) {
    test(`is given up: ${name}`, () => {
      const reader = new MessageReader('GET')
      reader.push(bytesOf(begin))
      const bytes = bytesOf(piece)
      for (let i = 0; i < times && !reader.isOver; i++) reader.push(bytes)
      assert.ok(reader.isOver)
      const { end, fault: said } = reader.message()
      assert.equal(end, 'unreadable')
      assert.match(said!, fault)
    })
  }

  test('heads and content count as progress', async () => {
    const reader = new MessageReader('GET')
    const reached = reader.progress.reached(5, 10_000)
    reader.push(bytesOf(`HTTP/1.1 103 Hints\r\n\r\n${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nab`))
    assert.equal(reader.progress.made, 4)
    reader.push(bytesOf('c'))
    assert.equal(await reached, true)
    assert.equal(await reader.progress.reached(6, 1), false)
  })
})
