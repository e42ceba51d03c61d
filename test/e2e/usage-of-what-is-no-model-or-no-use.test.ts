import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CLIENT_KEY, PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

function answerOf(model: string): string {
  const content = JSON.stringify({ model, choices: [], usage: { prompt_tokens: 3, completion_tokens: 2 } })
  return `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${content.length}\r\n\r\n${content}`
}

for (const key of [CLIENT_KEY, PROVIDER_KEY]) {
  test(`a key in the place of a model is not told with its missing price: ${key.slice(0, 3)}`, async () => {
    await using origin = await startOrigin(answerOf(key))
    await using gateway = await startGateway({
      upstreams: { up: { request_path: '/up', target_url: origin.url, api_key: PROVIDER_KEY } },
    })
    using client = await connect(gateway.port)
    const content = JSON.stringify({ model: key, messages: [] })
    void client.write(
      `POST /up/v1/chat/completions HTTP/1.1\r\nHost: gateway.test\r\nAuthorization: Bearer ${CLIENT_KEY}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${content.length}\r\n\r\n${content}`,
    )
    await client.response()
    const record = await gateway.waitForRecord()
    assert.deepEqual([record.model, record.usage], ['***', 'exact'])
    await gateway.waitForLog('No price known for a model')
    assert.ok(!gateway.log().includes(key))
  })
}

test('a GET that asks for WebSocket and gets a stored answer has used nothing', async () => {
  await using origin = await startOrigin(answerOf('gpt-x'))
  await using gateway = await startGateway({
    upstreams: { up: { request_path: '/up', target_url: origin.url, api_key: PROVIDER_KEY, websocket: true } },
  })
  using client = await connect(gateway.port)
  void client.write(
    `GET /up/v1/chat/completions/1 HTTP/1.1\r\nHost: gateway.test\r\nAuthorization: Bearer ${CLIENT_KEY}\r\n` +
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  )
  await client.response()
  const record = await gateway.waitForRecord()
  assert.deepEqual([record.status, record.usage, record.input_tokens], [200, 'none', undefined])
})
