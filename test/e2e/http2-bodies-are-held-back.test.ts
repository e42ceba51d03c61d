import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pass } from 'node:timers/promises'
import { upTo } from '../support/bytes.ts'
import { CLIENT_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { connectHttp2, type FieldPair, request, startHttp2Origin } from '../support/http2-peer.ts'
import { residentBytes } from '../support/memory.ts'
import { startOrigin } from '../support/origin.ts'

const KEY: FieldPair = ['authorization', `Bearer ${CLIENT_KEY}`]
const MEBIBYTE = 1024 * 1024
const BODY_BYTES = 200 * MEBIBYTE
const MOST_BYTES = 8 * MEBIBYTE
const skip = process.platform === 'linux' ? false : 'reads /proc'

/** What a stall costs: it has set in when nothing moves any more. */
async function growth(gateway: RunningGateway, before: number, moved: () => number): Promise<number> {
  for (let seen = -1; seen !== moved(); ) {
    seen = moved()
    await pass(300)
  }
  return residentBytes(gateway.pid) - before
}

async function warmUp(gateway: RunningGateway): Promise<void> {
  using client = await connectHttp2(gateway.port)
  for (let i = 0; i < 50; i++) await client.open(request('GET', '/up/small', KEY)).ended()
}

/** Connects a client, stalls a download of it, and lets it go on: twice, for the first time brings memory into being that stays. */
async function download(gateway: RunningGateway, sent: () => number): Promise<void> {
  await warmUp(gateway)
  const before = residentBytes(gateway.pid)
  using client = await connectHttp2(gateway.port, { takesContent: false, keepsNothing: true })
  const stream = client.open(request('GET', '/up/large', KEY))
  await client.until(() => stream.bytes > 60_000, 'the beginning')
  const grown = await growth(gateway, before, sent)
  assert.ok(grown < MOST_BYTES, `${grown} bytes more`)
  assert.ok(sent() < BODY_BYTES / 2, 'the upstream is held back')
  stream.takeAll()
  await stream.ended(60_000)
  assert.equal(stream.bytes, BODY_BYTES)
  assert.equal(stream.hasEnded, true)
}

test('a download waits for an HTTP/2 client', { skip }, async () => {
  const piece = Buffer.alloc(MEBIBYTE, 'x')
  let sent = 0
  await using origin = await startOrigin(async ({ target, connection }) => {
    if (target !== '/large') return void connection.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BODY_BYTES}\r\n\r\n`)
    while (sent < BODY_BYTES && (await connection.write(piece))) sent += piece.length
  })
  await using gateway = await startGateway(upTo(origin))
  await download(gateway, () => sent)
})

test('a download from an HTTP/2 upstream waits for an HTTP/2 client', { skip }, async () => {
  let sent = 0
  await using origin = await startHttp2Origin((stream) => {
    const path = stream.value(':path')
    if (path !== '/large') return stream.headers([[':status', '200']], true)
    stream.headers([[':status', '200']])
    void stream.upload(BODY_BYTES, (bytes) => {
      sent += bytes
    })
  })
  await using gateway = await startGateway({
    upstreams: { up: { request_path: '/up', target_url: origin.url, api_key: 'sk-provider-0123', protocol: 'http2' } },
  })
  await download(gateway, () => sent)
})

test('an upload waits for its upstream', { skip }, async () => {
  await using origin = await startOrigin(
    ({ target, connection }) => {
      if (target !== '/large') void connection.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    },
    { keepBytes: 0 },
  )
  await using gateway = await startGateway(upTo(origin))
  await warmUp(gateway)
  const before = residentBytes(gateway.pid)
  using client = await connectHttp2(gateway.port)
  let sent = 0
  const stream = client.open(request('POST', '/up/large', KEY), false)
  const upload = stream.upload(BODY_BYTES, (bytes) => {
    sent += bytes
  })
  const { connection } = await origin.until(() => origin.requests.find(({ target }) => target === '/large'), 'its head')
  connection.pause()
  const grown = await growth(gateway, before, () => sent)
  assert.ok(grown < MOST_BYTES, `${grown} bytes more`)
  assert.ok(sent < BODY_BYTES / 2, 'the client is held back')
  // Nobody else on the connection waits for it.
  assert.equal((await client.open(request('GET', '/up/small', KEY)).ended()).status, '200')
  connection.resume()
  await upload
  const { message } = await origin.until(
    () => origin.requests.find(({ target, message }) => target === '/large' && message.state === 'complete'),
    'all of it',
    60_000,
  )
  assert.equal(message.contentBytes, BODY_BYTES)
})
