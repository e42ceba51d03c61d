import assert from 'node:assert/strict'
import { test } from 'node:test'
import { headForClient } from '../../../src/exchange/response-head.ts'
import type { ResponseHead } from '../../../src/http/message.ts'
import { parseResponseHead } from '../../../src/http1/parse-response.ts'
import { exchangeOf, PROVIDER_KEY, snapshot, upstream } from './exchange-of.ts'

function parse(...fields: string[]): ResponseHead {
  const head = parseResponseHead([`HTTP/1.1 302 key=${PROVIDER_KEY}`, ...fields, '', ''].join('\r\n'), 'GET')
  assert.ok(typeof head === 'object')
  return head
}

function rewriting() {
  const exchange = exchangeOf('GET / HTTP/1.1\r\nHost: a\r\n\r\n', snapshot(true))
  exchange.upstream = upstream({ rewritesLocation: true })
  return exchange
}

test('what is found of a head whose locations have moved is what would be found in it', () => {
  const fields = (...at: string[]): string[] => [
    'Connection: gone, keep-alive',
    `Location: ${at[0]}`,
    'Keep-Alive: timeout=5',
    `content-location:\t${at[1]} `,
    'Gone: 1',
    'Location: https://elsewhere.example/v1/x',
    'Content-Length: 0',
  ]
  const was = parse(...fields('/v1/x', 'https://api.example/v1/y?z'))
  assert.deepEqual(headForClient(rewriting(), was), parse(...fields('/up/x', '/up/y?z')))
})

test('without any the head is the same', () => {
  const head = parse('Content-Length: 0')
  assert.equal(headForClient(rewriting(), head), head)
})

test('the same where the key in a query is repeated; a status line stays, whatever is in it', () => {
  const exchange = exchangeOf('GET /up?key=own HTTP/1.1\r\nHost: a\r\n\r\n', snapshot(true))
  exchange.upstream = upstream({ rewritesLocation: true })
  exchange.queryKeys = [0]
  const fields = (key: string, to: string): string[] => [
    `X: monkey=${key}&key=${key},key%3D${key}%253d`,
    'Connection: gone, keep-alive',
    `Location: ${to}?key=${key}`,
    `Gone: key=${key}`,
    'Content-Length: 0',
  ]
  assert.deepEqual(headForClient(exchange, parse(...fields(PROVIDER_KEY, '/v1/x'))), parse(...fields('own', '/up/x')))
})
