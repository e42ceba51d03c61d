import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, upTo } from '../support/bytes.ts'
import { CLIENT_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { residentBytes } from '../support/memory.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'

const MEBIBYTE = 1024 * 1024
const BODY_BYTES = 192 * MEBIBYTE
/** More than the kernel keeps of it on its way: twice its largest receive buffer (32 MiB) and its largest send buffer (4 MiB). */
const MOST_BYTES = (BODY_BYTES / 4) * 3
const skip = process.platform === 'linux' ? false : 'reads /proc'

/** Brings buffers and compiled code into being before memory is measured. */
async function warmUp(gateway: RunningGateway): Promise<void> {
  for (let i = 0; i < 50; i++) await exchange(gateway.port, get('/up/small'))
}

/** The receiver takes a mebibyte, stops, and looks at the gateway's memory, until all is there. */
function peak(gateway: RunningGateway): { readonly bytes: number; look: () => void } {
  let bytes = 0
  return {
    get bytes() {
      return bytes
    },
    look: () => {
      bytes = Math.max(bytes, residentBytes(gateway.pid))
    },
  }
}

test('192 MiB go to a slow reader', { skip }, async () => {
  const piece = Buffer.alloc(MEBIBYTE, 'x')
  let taken = 0
  await using origin = await startOrigin(async (request) => {
    if (request.target === '/small') {
      await request.connection.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
      return
    }
    await request.connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BODY_BYTES}\r\n\r\n`)
    while (taken < BODY_BYTES && (await request.connection.write(piece))) taken += piece.length
  })
  await using gateway = await startGateway(upTo(origin))
  await warmUp(gateway)
  const before = residentBytes(gateway.pid)
  const memory = peak(gateway)
  using client = await connect(gateway.port, { keepBytes: 0 })
  void client.write(get('/up/large'))
  for (let read = 0; read < BODY_BYTES; ) {
    read = await client
      .until(() => client.receivedBytes > read + MEBIBYTE || client.responses[0]?.state === 'complete', 'more')
      .then(() => client.receivedBytes)
    client.pause()
    memory.look()
    if (read < BODY_BYTES / 4) assert.ok(taken < MOST_BYTES, 'the upstream is held back')
    await new Promise(setImmediate)
    client.resume()
  }
  assert.equal((await client.response()).contentBytes, BODY_BYTES)
  const growth = memory.bytes - before
  assert.ok(growth < 8 * MEBIBYTE, `${growth / MEBIBYTE} MiB more`)
})

test('192 MiB go to a slow upstream', { skip }, async () => {
  await using origin = await startOrigin(
    async (request) => {
      if (request.target === '/large') request.connection.pause()
      await request.ended(60_000)
      await request.connection.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    },
    { keepBytes: 0 },
  )
  await using gateway = await startGateway(upTo(origin))
  await warmUp(gateway)
  const before = residentBytes(gateway.pid)
  const memory = peak(gateway)
  using client = await connect(gateway.port)
  void client.write(
    `POST /up/large HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${CLIENT_KEY}\r\nContent-Length: ${BODY_BYTES}\r\n\r\n`,
  )
  let sent = 0
  const piece = Buffer.alloc(MEBIBYTE, 'x')
  const sending = (async () => {
    while (sent < BODY_BYTES && (await client.write(piece))) sent += piece.length
  })()
  const request = await origin.request(50)
  while (request.message.state === 'open') {
    const received = request.message.bodyBytes
    request.connection.resume()
    await request.until(
      () => request.message.bodyBytes > received + MEBIBYTE || request.message.state !== 'open',
      'more',
    )
    request.connection.pause()
    memory.look()
    if (request.message.bodyBytes < BODY_BYTES / 4) assert.ok(sent < MOST_BYTES, 'the client is held back')
    await new Promise(setImmediate)
  }
  await sending
  request.connection.resume()
  assert.equal((await client.response()).status, 200)
  assert.equal(request.message.contentBytes, BODY_BYTES)
  const growth = memory.bytes - before
  assert.ok(growth < 8 * MEBIBYTE, `${growth / MEBIBYTE} MiB more`)
})
