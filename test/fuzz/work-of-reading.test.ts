import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { isRefused } from '../../src/http/downstream.ts'
import { BodyFollower } from '../../src/http1/body-follower.ts'
import { HeadReader } from '../../src/http1/head-reader.ts'
import { growsWithItsInput } from '../support/growth.ts'
import { ServedClient } from '../unit/http1/served.ts'

const BODY_BYTES = 60_000
const HEAD_BYTES = 60_000
/** The largest of each that is accepted is a little more. */
const CHUNK_LINE_BYTES = 4_000
const EXTENSION_BYTES = 16_000
const TRAILER_BYTES = 16_000

/** A head of this many bytes before its empty line, in lines of that length. */
function headOf(bytes: number, lineBytes: number): string {
  const line = `x:${'a'.repeat(lineBytes - 4)}\r\n`
  return `GET / HTTP/1.1\r\n${line.repeat(Math.floor((bytes - 16) / lineBytes))}\r\n`
}

function headGrows(what: string, lineBytes: (bytes: number) => number, step: number): void {
  growsWithItsInput(
    what,
    HEAD_BYTES,
    (bytes) => {
      const buffer = Buffer.from(headOf(bytes, lineBytes(bytes)))
      return () => {
        const reader = new HeadReader()
        for (let at = 0; at < buffer.length && reader.state === 'incomplete'; at += step)
          reader.read(buffer, at, Math.min(buffer.length, at + step))
        return { state: reader.state, length: reader.text.length }
      }
    },
    ({ state, length }, bytes) => {
      assert.deepEqual({ state, length }, { state: 'whole', length: headOf(bytes, lineBytes(bytes)).length })
      assert.ok(length > bytes * 0.9)
    },
  )
}

describe('the work of reading a head grows with its bytes, however they come', () => {
  for (const step of [1, 7]) {
    headGrows(`one long line, ${step} at a time`, (bytes) => bytes - 16, step)
    // As short as the limit on the number of lines leaves them.
    headGrows(`as many lines as may be, ${step} at a time`, () => 250, step)
  }
})

/** The whole of a chunked body, whose framing is followed. */
type Body = (bytes: number) => string

function bodyGrows(what: string, size: number, body: Body, passed: (text: string) => string): void {
  for (const [how, step] of [
    ['at once', BODY_BYTES * 2],
    ['byte by byte', 1],
  ] as const)
    growsWithItsInput(
      `${what}, ${how}`,
      size,
      (bytes) => {
        const original = Buffer.from(body(bytes), 'latin1')
        // What is taken out is closed over in place.
        const buffer = Buffer.alloc(original.length)
        return () => {
          original.copy(buffer)
          const follower = new BodyFollower()
          follower.start('chunked', 0)
          let at = 0
          let passedBytes = 0
          while (at < buffer.length && !follower.isDone && !follower.isFailed) {
            const start = at
            at = follower.follow(buffer, at, Math.min(buffer.length, at + step))
            passedBytes += follower.before.length + follower.runEnd - start
          }
          return { at, isDone: follower.isDone, isFailed: follower.isFailed, passedBytes }
        }
      },
      (reached, bytes) => {
        const text = body(bytes)
        assert.ok(text.length > bytes * 0.9)
        assert.deepEqual(reached, {
          at: text.length,
          isDone: true,
          isFailed: false,
          passedBytes: passed(text).length,
        })
      },
    )
}

const untouched = (text: string): string => text
const withoutExtensions = (text: string): string => text.replaceAll(/;[^\r]*/g, '')

describe('the work of following a body grows with its bytes, however they come', () => {
  const END = '0\r\n\r\n'
  bodyGrows('chunks of one byte', BODY_BYTES, (bytes) => '1\r\nx\r\n'.repeat(bytes / 6) + END, untouched)
  bodyGrows('one chunk', BODY_BYTES, (bytes) => `${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n${END}`, untouched)
  bodyGrows(
    'chunks with extensions',
    BODY_BYTES,
    (bytes) => `14;a\r\n${'x'.repeat(20)}\r\n`.repeat(bytes / 28) + END,
    withoutExtensions,
  )
  bodyGrows('a size of zeros', CHUNK_LINE_BYTES, (bytes) => `${'0'.repeat(bytes)}1\r\nx\r\n${END}`, untouched)
  for (const extension of [';a', ';a=b', ';a="\\""', ';a="b', ' ;\ta = b'])
    bodyGrows(
      `extensions ${JSON.stringify(extension)}`,
      CHUNK_LINE_BYTES,
      (bytes) => {
        const isOpen = extension === ';a="b'
        const text = isOpen ? `${extension}${'b'.repeat(bytes)}"` : extension.repeat(bytes / extension.length)
        return `1${text}\r\nx\r\n${END}`
      },
      (text) => text.replace(/[ ;][^\r]*/, ''),
    )
  bodyGrows(
    'long extensions of many chunks',
    EXTENSION_BYTES,
    (bytes) => `1;a=${'b'.repeat(bytes / 16)}\r\nx\r\n`.repeat(15) + END,
    withoutExtensions,
  )

  const trailers = (lines: string): string => `0\r\n${lines}\r\n`
  bodyGrows('one trailer', TRAILER_BYTES, (bytes) => trailers(`A: ${'x'.repeat(bytes)}\r\n`), untouched)
  bodyGrows('many trailers', TRAILER_BYTES, (bytes) => trailers('a:\r\n'.repeat(bytes / 4)), untouched)
  bodyGrows(
    'trailers that go no further',
    TRAILER_BYTES,
    (bytes) => trailers('TE:\r\n'.repeat(bytes / 5)),
    () => '0\r\n\r\n',
  )
})

describe('the work of requests that are sent ahead grows with their bytes', () => {
  const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

  /** The heads of the exchanges that came of it, all of them answered. */
  function headsOf(client: ServedClient): number[] {
    return client.exchanges.map(({ head }) => (isRefused(head) ? -1 : head.end - head.start))
  }

  const longRequest = (bytes: number): string => `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(bytes)}\r\n\r\n`
  growsWithItsInput(
    'byte by byte',
    HEAD_BYTES,
    (bytes) => {
      const octets = Array.from(longRequest(bytes), (octet) => Buffer.from(octet))
      return () => {
        const client = new ServedClient()
        client.sends(REQUEST)
        for (const octet of octets) client.connection.onBytes(octet, 1)
        client.last.downstream.finish(true)
        client.connection.close()
        return headsOf(client)
      }
    },
    (heads, bytes) => assert.deepEqual(heads, [REQUEST.length, longRequest(bytes).length]),
  )

  // Far more than a connection is read ahead for: what is slow in a request would hide what is slow in keeping it.
  growsWithItsInput(
    'and answered one by one',
    8 * HEAD_BYTES,
    (bytes) => {
      const request = Buffer.from(REQUEST)
      const count = Math.floor(bytes / request.length)
      return () => {
        const client = new ServedClient()
        for (let i = 0; i < count; i++) client.connection.onBytes(request, request.length)
        for (let i = 0; i < count; i++) client.last.downstream.finish(true)
        client.connection.close()
        return headsOf(client)
      }
    },
    (heads, bytes) => assert.deepEqual(heads, Array<number>(Math.floor(bytes / REQUEST.length)).fill(REQUEST.length)),
  )
})
