import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { upTo } from '../support/bytes.ts'
import { CLIENT_KEY, PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'

// RFC 7541 section 4.2: whoever encodes has to say at the beginning of its next block that the table has become smaller, though it uses
// none. nghttp2, which is in Node and in curl, takes no block without that.

for (const headerTableSize of [0, 100, 4_096]) {
  test(`a client with a table of ${headerTableSize} octets is answered, more than once`, async () => {
    await using origin = await startOrigin()
    await using gateway = await startGateway(upTo(origin))
    const client = http2.connect(`http://127.0.0.1:${gateway.port}`, { settings: { headerTableSize } })
    await once(client, 'localSettings')
    for (let i = 0; i < 3; i++) {
      const request = client.request({ ':path': '/up/x', authorization: `Bearer ${CLIENT_KEY}` })
      const [head] = await once(request, 'response')
      assert.equal(head[':status'], 200)
      request.resume()
      await once(request, 'close')
    }
    client.destroy()
  })

  test(`an upstream with a table of ${headerTableSize} octets gets all its requests over one connection`, async (t) => {
    const server = http2.createServer({ settings: { headerTableSize } }, (_request, response) => response.end('hi'))
    const sessions: http2.Http2Session[] = []
    server.on('session', (session) => sessions.push(session))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => {
      for (const session of sessions) session.destroy()
      server.close()
    })
    await using gateway = await startGateway({
      upstreams: {
        up: {
          request_path: '/up',
          target_url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
          api_key: PROVIDER_KEY,
          protocol: 'http2',
        },
      },
    })
    for (let i = 0; i < 3; i++) {
      const response = await fetch(`http://127.0.0.1:${gateway.port}/up/x`, {
        headers: { authorization: `Bearer ${CLIENT_KEY}` },
      })
      assert.equal(await response.text(), 'hi')
    }
    assert.equal(sessions.length, 1)
  })
}
