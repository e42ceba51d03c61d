import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import type { TLSSocket, TlsOptions } from 'node:tls'
import { get, ok, post, upTo } from '../support/bytes.ts'
import {
  CA,
  CLIENT_CERTIFICATE,
  CLIENT_CERTIFICATE_KEY,
  COMPANY_CERTIFICATE,
  COMPANY_INTERMEDIATE,
  COMPANY_KEY,
  EXPIRED_CERTIFICATE,
  EXPIRED_KEY,
  NAMED_CERTIFICATE,
  NAMED_KEY,
  SELF_SIGNED_CERTIFICATE,
  SELF_SIGNED_KEY,
  SERVER_CERTIFICATE,
  SERVER_KEY,
} from '../support/certificates.ts'
import { type ConfigObject, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, type OriginRequest, startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

const good: TlsOptions = { cert: SERVER_CERTIFICATE, key: SERVER_KEY }

const FILES = {
  ca: CA,
  client: CLIENT_CERTIFICATE,
  key: CLIENT_CERTIFICATE_KEY,
  intermediate: COMPANY_INTERMEDIATE,
  leaf: COMPANY_CERTIFICATE,
  self: SELF_SIGNED_CERTIFICATE,
  both: CA + COMPANY_INTERMEDIATE,
}

/** A gateway that reaches the origin with these TLS settings; their files lie beside its configuration. */
async function startWithTls(origin: Origin, tls: ConfigObject | undefined): Promise<RunningGateway> {
  const gateway = await startGateway({})
  for (const [name, pem] of Object.entries(FILES)) {
    writeFileSync(path.join(gateway.directory, `${name}.pem`), pem)
  }
  gateway.rewrite(upTo(origin, tls === undefined ? {} : { tls }))
  await gateway.waitForLog('reloaded automatically')
  return gateway
}

test('and then served like any other', async () => {
  await using origin = await startOrigin(undefined, { tls: good })
  await using gateway = await startWithTls(origin, { ca: 'ca.pem' })
  for (let i = 0; i < 3; i++) assert.equal((await exchange(gateway.port, post('/up/x', `${i}`))).text, 'ok')
  assert.deepEqual(
    origin.requests.map((request) => request.text),
    ['0', '1', '2'],
  )
  assert.equal(origin.connections.length, 1, 'on one connection')
  assert.equal((await gateway.waitForRecord()).target_url, `${origin.url}/x`)
})

test('by another name, if the configuration has one', async () => {
  await using origin = await startOrigin(undefined, { tls: { cert: NAMED_CERTIFICATE, key: NAMED_KEY } })
  await using gateway = await startWithTls(origin, { ca: 'ca.pem', server_name: 'provider.test' })
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
  const [connection] = origin.connections
  assert.equal((connection!.socket as TLSSocket).servername, 'provider.test')
})

test('by another name without its final dot', async () => {
  await using origin = await startOrigin(undefined, { tls: { cert: NAMED_CERTIFICATE, key: NAMED_KEY } })
  await using gateway = await startWithTls(origin, { ca: 'ca.pem', server_name: 'provider.test.' })
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
  assert.equal((origin.connections[0]!.socket as TLSSocket).servername, 'provider.test')
})

test('and shown a certificate, if the configuration has one', async () => {
  await using origin = await startOrigin(undefined, { tls: { ...good, ca: CA, requestCert: true } })
  await using gateway = await startWithTls(origin, { ca: 'ca.pem', cert: 'client.pem', key: 'key.pem' })
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
  assert.equal((origin.connections[0]!.socket as TLSSocket).authorized, true)
})

const company: TlsOptions = { cert: COMPANY_CERTIFICATE, key: COMPANY_KEY }
const trusted: readonly (readonly [what: string, options: TlsOptions, ca: string])[] = [
  ['an authority below a root that is not named', company, 'intermediate.pem'],
  [
    'an authority that the server sends as well',
    { ...company, cert: COMPANY_CERTIFICATE + COMPANY_INTERMEDIATE },
    'intermediate.pem',
  ],
  ["the server's own certificate", company, 'leaf.pem'],
  ['a certificate that has signed itself', { cert: SELF_SIGNED_CERTIFICATE, key: SELF_SIGNED_KEY }, 'self.pem'],
  ['one of several', company, 'both.pem'],
]
for (const [what, options, ca] of trusted) {
  test(`who is named in ca is trusted: ${what}`, async () => {
    await using origin = await startOrigin(undefined, { tls: options })
    await using gateway = await startWithTls(origin, { ca })
    assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
  })
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a server that misses a certificate of ours in ${version} is a failure of TLS, also after the handshake`, async () => {
    await using origin = await startOrigin(undefined, {
      tls: { ...good, requestCert: true, rejectUnauthorized: true, maxVersion: version },
    })
    await using gateway = await startWithTls(origin, { ca: 'ca.pem' })
    for (const request of [get('/up/x'), post('/up/x', 'content')]) {
      const response = await exchange(gateway.port, request)
      assert.equal(response.status, 502)
      assert.equal(response.value('x-fluxgate-error'), 'fluxgate_tls')
    }
    assert.equal((await gateway.waitForRecord()).error, 'tls')
    assert.equal(origin.requests.length, 0)
  })
}

const refused: readonly (readonly [name: string, options: TlsOptions, tls: ConfigObject | undefined])[] = [
  ['of a certificate that nobody knows', good, undefined],
  ['of a certificate for another name', { cert: NAMED_CERTIFICATE, key: NAMED_KEY }, { ca: 'ca.pem' }],
  ['of a certificate that has expired', { cert: EXPIRED_CERTIFICATE, key: EXPIRED_KEY }, { ca: 'ca.pem' }],
  ['of an authority beside the one that is named', company, { ca: 'ca.pem' }],
  ['of another name, though its certificate is named', { cert: NAMED_CERTIFICATE, key: NAMED_KEY }, { ca: 'ca.pem' }],
]
for (const [name, options, tls] of refused) {
  test(`not a byte is sent because ${name}`, async () => {
    await using origin = await startOrigin(undefined, { tls: options })
    await using gateway = await startWithTls(origin, tls)
    const response = await exchange(gateway.port, get('/up/x'))
    assert.equal(response.status, 502)
    assert.equal(response.value('x-fluxgate-error'), 'fluxgate_tls_verify')
    assert.equal((await gateway.waitForRecord()).outcome, 'upstream_abort')
    assert.equal(origin.requests.length, 0)
  })
}

test('and one that speaks no TLS gets no request', async () => {
  await using origin = await startOrigin(({ connection }) => connection.reset())
  await using gateway = await startGateway(
    upTo(origin, { target_url: `https://127.0.0.1:${origin.port}`, connect_timeout_ms: 300 }),
  )
  const response = await exchange(gateway.port, get('/up/x'))
  assert.ok(response.status === 502 || response.status === 504, `${response.status}`)
  assert.equal(origin.requests.length, 0)
})

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`once for a session, which the next connection resumes, over ${version}`, async () => {
    const limits = { minVersion: version, maxVersion: version }
    const reused: boolean[] = []
    const answer = async ({ connection }: OriginRequest): Promise<void> => {
      reused.push((connection.socket as TLSSocket).isSessionReused())
      await connection.write(ok('ok', 'Connection: close'))
    }
    await using origin = await startOrigin(answer, { tls: { ...good, ...limits } })
    await using gateway = await startWithTls(origin, { ca: 'ca.pem' })
    for (let i = 0; i < 3; i++) assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
    assert.deepEqual(reused, [false, true, true])
    // Who is trusted has changed: nobody is believed for having been so before.
    gateway.rewrite(upTo(origin, { tls: { ca: 'intermediate.pem' } }))
    await gateway.waitForLog('reloaded automatically', 2)
    assert.equal((await exchange(gateway.port, get('/up/x'))).status, 502)
    assert.equal((await gateway.waitForRecord(({ status }) => status === 502)).error, 'tls_verify')
  })
}

test('a session that an upstream does not know any more costs nothing but the handshake', async () => {
  await using origin = await startOrigin(ok('ok', 'Connection: close'), { tls: good })
  await using gateway = await startWithTls(origin, { ca: 'ca.pem' })
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
  const { port } = origin
  await origin[Symbol.asyncDispose]()
  await using restarted = await startOrigin(ok('ok'), { tls: good, port })
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
  assert.equal((restarted.connections[0]!.socket as TLSSocket).isSessionReused(), false)
})
