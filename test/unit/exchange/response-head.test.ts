import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Exchange } from '../../../src/exchange/exchange.ts'
import { headForClient } from '../../../src/exchange/response-head.ts'
import type { ResponseHead } from '../../../src/http/message.ts'
import { encodeResponseHead } from '../../../src/http1/encoder.ts'
import { parseResponseHead } from '../../../src/http1/parse-response.ts'
import { growsWithItsInput } from '../../support/growth.ts'
import { snapshot, upstream } from './exchange-of.ts'

const AUTHORITY = 'https://api.example'

/** The head as it goes to the client, whose gateway calls this upstream by that prefix. */
function rewritten(prefix: string, lines: readonly string[]): string {
  const text = ['HTTP/1.1 307 Moved', ...lines, '', 'next'].join('\r\n')
  const head = parseResponseHead(text, 'GET') as ResponseHead
  return encodeResponseHead(headForClient(exchangeTo(prefix), head), false)
}

function exchangeTo(prefix: string): Exchange {
  const target = upstream({ prefix, basePath: '', rewritesLocation: true })
  const asked = { head: { isWebSocketUpgrade: false }, queryKeys: [] as readonly number[] }
  return { upstream: target, snapshot: snapshot(false, target), ...asked } as unknown as Exchange
}

describe('a Location with the prefix moves what stands behind it', () => {
  for (const prefix of ['/p', '/a-prefix-that-is-longer-than-the-authority']) {
    const sent = [
      'Connection: x-gone',
      `Location:  ${AUTHORITY}/a `,
      'X-Gone: 1',
      `content-location: ${AUTHORITY}/b`,
      'Keep-Alive: 1',
      'Location: https://cdn.example/c',
      `Location:${AUTHORITY}/d`,
      'x-gone: 2',
      'Content-Length: 4',
    ]
    const seen = [
      `Location:  ${prefix}/a `,
      `content-location: ${prefix}/b`,
      'Location: https://cdn.example/c',
      `Location:${prefix}/d`,
      'Content-Length: 4',
    ]
    test(`by the prefix ${prefix}`, () => {
      assert.equal(rewritten(prefix, sent), ['HTTP/1.1 307 Moved', ...seen, '', ''].join('\r\n'))
    })

    test(`and nothing else where Connection takes it out, by the prefix ${prefix}`, () => {
      const lines = ['Connection: location', `Location: ${AUTHORITY}/a`, 'Content-Length: 4', 'B: 2']
      assert.equal(rewritten(prefix, lines), 'HTTP/1.1 307 Moved\r\nContent-Length: 4\r\nB: 2\r\n\r\n')
    })
  }
})

describe('the work of many of them grows with their number', () => {
  for (const [what, first] of [
    ['as they are', 'A: 1'],
    ['which Connection takes out', 'Connection: location'],
  ] as const) {
    const exchange = exchangeTo('/up')
    growsWithItsInput(
      what,
      4_000,
      (count) => {
        const text = `HTTP/1.1 307 Moved\r\n${first}\r\n${'Location: /\r\n'.repeat(count)}\r\n`
        const head = parseResponseHead(text, 'GET') as ResponseHead
        return () => headForClient(exchange, head).text.length
      },
      (length, count) => assert.ok(length > count * 'Location: /up/\r\n'.length),
    )
  }
})
