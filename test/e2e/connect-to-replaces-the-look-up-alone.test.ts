import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { get, ok, post, upTo } from '../support/bytes.ts'
import { CA, SERVER_CERTIFICATE, SERVER_KEY } from '../support/certificates.ts'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

test('Host, SNI, certificate and log stay those of target_url', async () => {
  await using origin = await startOrigin(undefined, { tls: { cert: SERVER_CERTIFICATE, key: SERVER_KEY } })
  await using gateway = await startGateway({})
  writeFileSync(path.join(gateway.directory, 'ca.pem'), CA)
  gateway.rewrite(
    upTo(origin, {
      target_url: 'https://provider.test/base',
      connect_to: [`127.0.0.1:${origin.port}`],
      tls: { ca: 'ca.pem' },
    }),
  )
  await gateway.waitForLog('reloaded automatically')
  assert.equal((await exchange(gateway.port, post('/up/x', 'content'))).status, 200)
  const [request] = origin.requests
  assert.deepEqual(request!.values('host'), ['provider.test'])
  assert.equal(request!.target, '/base/x')
  assert.equal((origin.connections[0]!.socket as TLSSocket).servername, 'provider.test')
  assert.equal((await gateway.waitForRecord()).target_url, 'https://provider.test/base/x')
})

test('an address without a port has that of target_url', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(
    upTo(origin, { target_url: `http://provider.test:${origin.port}`, connect_to: ['127.0.0.1'] }),
  )
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
  assert.deepEqual(origin.requests[0]!.values('host'), [`provider.test:${origin.port}`])
})

for (const [what, tls] of [
  ['in the clear', undefined],
  ['with TLS', { cert: SERVER_CERTIFICATE, key: SERVER_KEY }],
] as const) {
  test(`a Unix socket, ${what}`, async () => {
    await using gateway = await startGateway({})
    writeFileSync(path.join(gateway.directory, 'ca.pem'), CA)
    const socket = path.join(gateway.directory, 'model.sock')
    await using origin = await startOrigin(undefined, { socket, ...(tls && { tls }) })
    gateway.rewrite(
      upTo(origin, {
        target_url: `${tls ? 'https' : 'http'}://provider.test/v1`,
        connect_to: [`unix:${socket}`],
        ...(tls && { tls: { ca: 'ca.pem' } }),
      }),
    )
    await gateway.waitForLog('reloaded automatically')
    for (let i = 0; i < 2; i++) assert.equal((await exchange(gateway.port, post('/up/x', 'content'))).status, 200)
    assert.deepEqual(
      origin.requests.map((request) => [request.target, request.text, ...request.values('host')]),
      Array(2).fill(['/v1/x', 'content', 'provider.test']),
    )
    assert.equal(origin.connections.length, 1)
  })
}

test('a Unix socket that is not there: 502', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin, { connect_to: ['unix:/nowhere/model.sock'] }))
  const response = await exchange(gateway.port, get('/up/x'))
  assert.equal(response.status, 502)
  assert.equal(response.value('x-fluxgate-error'), 'fluxgate_connect_failed')
})

test('several addresses are used in turn, and one that refuses is passed over', async () => {
  await using a = await startOrigin(ok('a', 'Connection: close'))
  await using b = await startOrigin(ok('b', 'Connection: close'), { host: '127.0.0.2', port: a.port })
  const hosts = ['127.0.0.1', '127.0.0.3', '127.0.0.2']
  await using gateway = await startGateway(upTo(a, { target_url: `http://provider.test:${b.port}`, connect_to: hosts }))
  const answers: string[] = []
  for (let i = 0; i < 6; i++) answers.push((await exchange(gateway.port, get('/up/x'))).text)
  // Nobody listens at the one in the middle, so that the next one serves in its place.
  assert.deepEqual(answers, ['a', 'b', 'b', 'a', 'b', 'b'])
})

test('idle connections are taken where fewest exchanges run', async () => {
  await using a = await startOrigin()
  await using b = await startOrigin(undefined, { host: '127.0.0.2', port: a.port })
  await using gateway = await startGateway(
    upTo(a, { target_url: `http://provider.test:${a.port}`, connect_to: ['127.0.0.1', '127.0.0.2'] }),
  )
  const origins = [a, b]
  const held: (() => void)[] = []
  for (const origin of origins) {
    origin.answer = async ({ connection }) => {
      await new Promise<void>((resolve) => held.push(resolve))
      await connection.write(ok('ok'))
    }
  }
  const ask = (count: number) => Array.from({ length: count }, () => exchange(gateway.port, get('/up/x')))
  const counts = (): number[] => origins.map((origin) => origin.requests.length)
  const release = (): void => {
    for (const resolve of held.splice(0)) resolve()
  }
  const first = ask(6)
  await a.until(() => a.requests.length === 3, 'three at the first')
  await b.until(() => b.requests.length === 3, 'three at the second')
  release()
  await Promise.all(first)
  // Each has three idle connections now.
  for (let n = 1; n <= 2; n++) {
    const before = counts()
    const more = ask(4)
    await a.until(() => a.requests.length === before[0]! + 2, 'two more at the first')
    await b.until(() => b.requests.length === before[1]! + 2, 'two more at the second')
    release()
    await Promise.all(more)
  }
  assert.equal(a.connections.length + b.connections.length, 6)
})
