import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { get, ok, upTo } from '../support/bytes.ts'
import { within } from '../support/deadline.ts'
import { startGateway } from '../support/gateway.ts'
import { type OriginRequest, startOrigin } from '../support/origin.ts'
import { connectTls, PemFolder } from '../support/tls-gateway.ts'

/** Answers with a head and some content, and breaks off once that has come through. */
const HEADS = {
  length: 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome',
  chunked: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n',
  'until its end': 'HTTP/1.1 200 OK\r\n\r\nsome',
} as const

for (const [name, head] of Object.entries(HEADS)) {
  test(`with a body of ${name}`, async () => {
    using pems = new PemFolder()
    let request: OriginRequest | undefined
    await using origin = await startOrigin(async (received) => {
      request = received
      await received.connection.write(head)
    })
    await using gateway = await startGateway({ ...upTo(origin), server: { tls: pems.pair } })
    using secured = await connectTls(gateway.port)
    await secured.client.write(get('/up/x'))
    await secured.client.untilContent('some')
    request!.connection.reset()
    assert.equal((await secured.client.response()).state, 'truncated')
    const ending = await secured.client.ended()
    if (name === 'until its end') assert.equal(ending, 'rst')
    assert.equal((await gateway.waitForRecord()).outcome, 'upstream_abort')
  })
}

test('and a whole one ends with word that it has', async () => {
  using pems = new PemFolder()
  await using origin = await startOrigin(async ({ connection }) => {
    await connection.write('HTTP/1.1 200 OK\r\n\r\nall of it')
    void connection.fin()
  })
  await using gateway = await startGateway({ ...upTo(origin), server: { tls: pems.pair } })
  using secured = await connectTls(gateway.port)
  await secured.client.write(get('/up/x'))
  const response = await secured.client.response()
  assert.deepEqual([response.text, response.state], ['all of it', 'complete'])
  assert.equal(await secured.client.ended(), 'fin')
})

/** OpenSSL tells an end by `close_notify` from any other, which Node does not. */
const hasOpenssl = spawnSync('openssl', ['version']).status === 0

test('OpenSSL sees a close_notify behind what is whole, and none behind a cut', {
  skip: !hasOpenssl && 'no openssl',
}, async () => {
  using pems = new PemFolder()
  await using origin = await startOrigin(async ({ target, connection }) => {
    if (target === '/whole') await connection.write(ok('some', 'Connection: close'))
    else {
      await connection.write(HEADS.length)
      connection.reset()
    }
  })
  await using gateway = await startGateway({ ...upTo(origin), server: { tls: pems.pair } })
  for (const target of ['/whole', '/cut']) {
    const args = [
      's_client',
      '-connect',
      `127.0.0.1:${gateway.port}`,
      '-CAfile',
      pems.file('ca.pem'),
      '-quiet',
      '-msg',
      '-ign_eof',
    ]
    const child = spawn('openssl', args, { stdio: ['pipe', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('latin1').on('data', (text: string) => {
        said += text
      })
    }
    child.stdin.write(get(`/up${target}`, ...(target === '/whole' ? ['Connection: close'] : [])))
    await within(new Promise((resolve) => child.on('close', resolve)), `the end of ${target}`)
    assert.match(said, /some/)
    assert.equal(
      /<<< .*Alert.*\n?.*warning close_notify|<<< TLS 1.3, Alert.*close_notify/i.test(said),
      target === '/whole',
      said,
    )
  }
})
