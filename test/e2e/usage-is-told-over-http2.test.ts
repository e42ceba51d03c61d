import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { CLIENT_KEY, PROVIDER_KEY, startGateway } from '../support/gateway.ts'

const USAGE = '"usage":{"prompt_tokens":19,"completion_tokens":10}'
const WHOLE = `{"model":"gpt-4o-mini","choices":[{"message":{"content":"Hello"}}],${USAGE}}`
const EVENTS = [
  'data: {"model":"gpt-4o-mini","choices":[{"delta":{"content":"Hel',
  'lo"}}]}\n\n',
  `data: {"model":"gpt-4o-mini","choices":[],${USAGE}}\n\n`,
  'data: [DONE]\n\n',
]

async function startProvider(): Promise<{ readonly url: string } & Disposable> {
  const server = http2.createServer()
  server.on('stream', (stream: http2.ServerHttp2Stream, { ':path': path }) => {
    stream.resume().on('end', async () => {
      const type = path === '/v1/stream' ? 'text/event-stream' : 'application/json'
      const coding = path === '/v1/gzip' ? { 'content-encoding': 'gzip' } : {}
      stream.respond({ ':status': 200, 'content-type': type, ...coding })
      for (const event of path === '/v1/stream' ? EVENTS : []) {
        stream.write(event)
        await new Promise(setImmediate)
      }
      stream.end(path === '/v1/stream' ? '' : path === '/v1/gzip' ? gzipSync(WHOLE) : WHOLE)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sessions = new Set<http2.Http2Session>()
  server.on('session', (session) => sessions.add(session))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.dispose]() {
      for (const session of sessions) session.destroy()
      server.close()
    },
  }
}

test('usage is told whatever version either side speaks', async () => {
  using provider = await startProvider()
  await using gateway = await startGateway({
    upstreams: { up: { request_path: '/up', target_url: provider.url, api_key: PROVIDER_KEY, protocol: 'http2' } },
  })
  const client = http2.connect(gateway.url)
  for (const path of ['/up/v1/whole', '/up/v1/stream', '/up/v1/gzip']) {
    const ofHttp1 = fetch(gateway.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json' },
      body: '{"model":"asked"}',
    })
    assert.match(await (await ofHttp1).text(), /Hello|Hel/)
    const stream = client.request({
      ':path': path,
      ':method': 'POST',
      authorization: `Bearer ${CLIENT_KEY}`,
      'content-type': 'application/json',
    })
    stream.end('{"model":"asked"}')
    await once(stream.resume(), 'end')
    const records = await gateway.until(() => {
      const own = gateway.records().filter(({ request_url }) => request_url === path)
      return own.length === 2 && own
    }, `both records of ${path}`)
    for (const { usage, model, request_model, input_tokens, output_tokens } of records)
      assert.deepEqual(
        [usage, model, request_model, input_tokens, output_tokens],
        ['exact', 'gpt-4o-mini', 'asked', 19, 10],
        path,
      )
  }
  client.close()
})
