import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import tls from 'node:tls'
import { startGateway } from '../support/gateway.ts'
import { connect } from '../support/raw-client.ts'

/** Longer than any test: who waits for it has failed. */
const server = { head_timeout_ms: 600_000 }

const beginnings: readonly (readonly [what: string, bytes: string, status: number, error: string])[] = [
  ['a first byte that no method has', '{', 400, 'bad_request_line'],
  ['the banner of another protocol', 'SSH-2.0-x\r\n', 400, 'bad_request_line'],
  ['a CR without LF in the request line', 'GET / HTTP/1.1\rX', 400, 'bad_request_line'],
  ['a CR without LF in a field', 'GET / HTTP/1.1\r\nHost: a\rX', 400, 'bad_field'],
  ['an LF without CR', 'GET / HTTP/1.1\n', 400, 'bad_request_line'],
  ['a NUL in a field', 'GET / HTTP/1.1\r\nHost: a\0', 400, 'bad_field'],
  ['a control in the target', 'GET /\x07', 400, 'bad_target'],
  ['a folded line', 'GET / HTTP/1.1\r\nHost: a\r\n ', 400, 'bad_field'],
  ['a name that is no token', 'GET / HTTP/1.1\r\nHo st', 400, 'bad_field'],
  ['a line without a colon', 'GET / HTTP/1.1\r\nHost\r\n', 400, 'bad_field'],
  ['a request line of HTTP/0.9', 'GET /\r\n', 400, 'bad_request_line'],
  ['a request line of HTTP/1.0', 'GET / HTTP/1.0\r\n', 505, 'version_not_supported'],
  ["HTTP/2's version", 'GET / HTTP/2.0\r\n', 505, 'version_not_supported'],
  ['a target that is none', 'GET http:/x HTTP/1.1\r\n', 400, 'bad_target'],
  ['a dot segment', 'GET /../x HTTP/1.1\r\n', 400, 'bad_target'],
  ['TRACE', 'TRACE / HTTP/1.1\r\n', 501, 'method_not_implemented'],
  ['a PROXY header', 'PROXY TCP4 203.0.113.9 10.0.0.1 5555 8080\r\n', 400, 'unexpected_proxy_header'],
  ['a PROXY header without addresses', 'PROXY UNKNOWN\r\n', 400, 'unexpected_proxy_header'],
  ['what only looks like one', 'PROXY TCP5 x\r\n', 400, 'bad_request_line'],
  ['a method of that name', 'PROXY / HTTP/1.0\r\n', 505, 'version_not_supported'],
  ['a TLS handshake', '\x16\x03\x01', 400, 'tls_on_plain_port'],
  ['a TLS handshake behind an empty line', '\r\n\x16\x03\x01', 400, 'tls_on_plain_port'],
]

test('as soon as its bytes say so, in one piece or byte by byte', async () => {
  await using gateway = await startGateway({ server })
  for (const [what, bytes, status, error] of beginnings) {
    for (const pieces of [[bytes], [...bytes]]) {
      using client = await connect(gateway.port)
      await client.writePieces(pieces)
      const response = await client.response()
      assert.equal(response.status, status, what)
      assert.equal(response.value('x-fluxgate-error'), `fluxgate_${error}`, what)
      await client.fin()
      assert.equal(await client.ended(), 'fin', what)
    }
  }
})

test('what can still become one is waited for', async () => {
  await using gateway = await startGateway({ server: { head_timeout_ms: 200 } })
  for (const beginning of ['G', '\r\nGET', 'GET /x', 'GET /x HTTP/1.1\r', 'GET /x HTTP/1.1\r\nA: \xe9\t\r\n\r']) {
    using client = await connect(gateway.port)
    await client.writePieces([...beginning])
    assert.equal((await client.response()).status, 408, JSON.stringify(beginning))
  }
})

test('a TLS client that comes to the plain port is told so', async () => {
  await using gateway = await startGateway({ server })
  const client = tls.connect({ host: '127.0.0.1', port: gateway.port, rejectUnauthorized: false })
  const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException]
  assert.equal(error.code, 'ERR_SSL_WRONG_VERSION_NUMBER')
  using raw = await connect(gateway.port)
  await raw.write('\x16\x03\x01\x00')
  assert.match((await raw.response()).text, /plain HTTP/)
  await gateway.until(() => gateway.records().length === 2, 'a record of each')
  for (const { error, status, outcome } of gateway.records()) {
    assert.deepEqual([error, status, outcome], ['tls_on_plain_port', 400, 'refused'])
  }
})
