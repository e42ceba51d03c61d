import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import { test } from 'node:test'
import tls from 'node:tls'
import { upTo } from '../support/bytes.ts'
import { CA, SERVER_CERTIFICATE, SERVER_KEY } from '../support/certificates.ts'
import { filesBeside } from '../support/files-beside.ts'
import { CLIENT_KEY, startGateway } from '../support/gateway.ts'
import { type FieldPair, Http2Peer, request } from '../support/http2-peer.ts'
import { startOrigin } from '../support/origin.ts'

const KEY: FieldPair = ['authorization', `Bearer ${CLIENT_KEY}`]

test('ALPN decides over TLS', async (t) => {
  const files = filesBeside(t, { 'cert.pem': SERVER_CERTIFICATE, 'key.pem': SERVER_KEY })
  await using origin = await startOrigin()
  await using gateway = await startGateway({
    ...upTo(origin),
    server: { tls: { cert: files('cert.pem'), key: files('key.pem') } },
  })
  const options = { port: gateway.port, host: '127.0.0.1', ca: CA, servername: 'provider.test' }
  await t.test('h2', async () => {
    const socket = tls.connect({ ...options, ALPNProtocols: ['h2', 'http/1.1'] })
    await once(socket, 'secureConnect')
    assert.equal(socket.alpnProtocol, 'h2')
    using client = new Http2Peer(socket, false, {})
    assert.equal((await client.open(request('GET', '/up/x', KEY)).ended()).text, 'ok')
  })
  await t.test('http/1.1', async () => {
    const socket = tls.connect({ ...options, ALPNProtocols: ['http/1.1'] })
    await once(socket, 'secureConnect')
    assert.equal(socket.alpnProtocol, 'http/1.1')
    socket.destroy()
  })
  await t.test("Node's own client", async () => {
    const session = http2.connect(`https://127.0.0.1:${gateway.port}`, { ca: CA, servername: 'provider.test' })
    const stream = session.request({ ':path': '/up/x', authorization: `Bearer ${CLIENT_KEY}` })
    stream.setEncoding('utf8')
    let text = ''
    for await (const piece of stream) text += piece
    assert.equal(text, 'ok')
    session.close()
  })
})
