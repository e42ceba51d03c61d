import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../support/bytes.ts'
import { PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import type { Message } from '../support/message.ts'
import { startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

const bytesOf = (message: Message): string => message.head + message.rawBody.toString('latin1')

test('where the operator says so, a Location that leads to the target gets the prefix', async () => {
  await using origin = await startOrigin()
  const upstream = (request_path: string, rewrite_location: boolean) => ({
    request_path,
    target_url: `${origin.url}/v1`,
    api_key: PROVIDER_KEY,
    rewrite_location,
  })
  await using gateway = await startGateway({ upstreams: { on: upstream('/on', true), off: upstream('/off', false) } })
  const answer = (location: string, content: string): string =>
    `HTTP/1.1 307 Temporary Redirect\r\nA:  1 \r\nConnection: X-Gone\r\nlocation: \t${location}\r\nX-Gone: 1\r\nContent-Location: ${location}\r\nContent-Length: ${content.length}\r\nB: 2\r\n\r\n${content}`
  const seen = (location: string, content: string): string =>
    answer(location, content).replace('Connection: X-Gone\r\n', '').replace('X-Gone: 1\r\n', '')
  for (const [location, expected] of [
    [`${origin.url}/v1/files/1?a=b`, '/on/files/1?a=b'],
    ['/v1/files/1', '/on/files/1'],
    ['https://cdn.example/v1/x', 'https://cdn.example/v1/x'],
  ] as const) {
    origin.answer = answer(location, 'moved')
    assert.equal(bytesOf(await exchange(gateway.port, get('/on/x'))), seen(expected, 'moved'))
    assert.equal(bytesOf(await exchange(gateway.port, get('/off/x'))), seen(location, 'moved'))
  }
})

test('a Location that its Connection takes away goes as a whole, however long it would have become', async () => {
  await using origin = await startOrigin()
  const up = { target_url: origin.url, api_key: PROVIDER_KEY, rewrite_location: true }
  await using gateway = await startGateway({ upstreams: { up: { request_path: '/up/long/prefix', ...up } } })
  for (const location of ['/X-Left-Over:1', `${origin.url}/much/longer/than/any/prefix/is`]) {
    const answer = (own: string): string => `HTTP/1.1 307 Moved\r\nA: 1\r\n${own}B: 2\r\nContent-Length: 0\r\n\r\n`
    origin.answer = answer(`Connection: location\r\nLocation: ${location}\r\n`)
    assert.equal(bytesOf(await exchange(gateway.port, get('/up/long/prefix/x'))), answer(''))
  }
})
