import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { duplexPair } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { createAdminServer } from '../../../src/admin/door.ts'
import type { AdminSources } from '../../../src/admin/sources.ts'
import type { AdminSettings } from '../../../src/config/snapshot.ts'
import { connect } from '../../support/raw-client.ts'

const LINES = 50_000
const SETTINGS = { bindAddress: { host: '127.0.0.1', port: 0, text: '127.0.0.1:0' }, token: undefined }

async function open(exposition: AdminSources['exposition']) {
  const sources = { notReady: () => [], exposition, status: () => Promise.reject(new Error('nobody asks')) }
  const door = createAdminServer(SETTINGS as AdminSettings, sources)
  const server = net.createServer({ allowHalfOpen: true }, (socket) => door.take(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { door, server, port: (server.address() as AddressInfo).port }
}

test('long metrics are zipped without a listener for each wait', async () => {
  const warnings: Error[] = []
  const warned = (warning: Error): void => void warnings.push(warning)
  process.on('warning', warned)
  // No two alike, so that gzip has work to do.
  const lines = Array.from({ length: LINES }, (_, i) => `series{label="${Math.sin(i)}"} ${i}\n`)
  const { door, server, port } = await open(() => Promise.resolve(lines))
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { 'Accept-Encoding': 'gzip' } })
  assert.equal((await response.text()).split('\n').length, LINES + 1)
  // A warning is told in a later turn.
  await new Promise(setImmediate)
  assert.deepEqual(warnings, [])
  process.off('warning', warned)
  door.close()
  server.close()
})

test('a door that moves to a loopback address tells nothing to those who have come from elsewhere', async () => {
  const { door, server, port } = await open(() => Promise.resolve(['a 1\n']))
  door.publish({ ...SETTINGS, bindAddress: { ...SETTINGS.bindAddress, host: '0.0.0.0' } } as AdminSettings)
  using stranger = await connect(port)
  void stranger.write('GET /live HTTP/1.1\r\n\r\n')
  assert.equal((await stranger.response()).status, 200)
  door.publish(SETTINGS as AdminSettings)
  void stranger.write('GET /metrics HTTP/1.1\r\n\r\n')
  assert.equal((await stranger.response(1)).status, 403)
  using near = await connect(port)
  void near.write('GET /metrics HTTP/1.1\r\n\r\n')
  assert.equal((await near.response()).status, 200)
  door.close()
  server.close()
})

test('a status is made once for all who ask at the same time', async () => {
  let made = 0
  const door = createAdminServer(SETTINGS as AdminSettings, {
    notReady: () => [],
    exposition: () => Promise.resolve([]),
    status: () => Promise.resolve({ made: ++made } as never),
  })
  const texts = Array.from({ length: 20 }, async () => {
    const [near, far] = duplexPair()
    door.take(far as net.Socket)
    near.write('GET /status HTTP/1.1\r\nConnection: close\r\n\r\n')
    return text(near)
  })
  for (const each of await Promise.all(texts)) assert.match(each, /\{\n {2}"made": 1\n\}\n$/)
  assert.equal(made, 1)
  door.close()
})

test('whoever has asked gets the answer after the door has been handed over, and is told to go', async () => {
  const asked = Promise.withResolvers<void>()
  const made = Promise.withResolvers<string[]>()
  const { door, server, port } = await open(() => {
    asked.resolve()
    return made.promise
  })
  using scraper = await connect(port)
  using idle = await connect(port)
  void scraper.write('GET /metrics HTTP/1.1\r\n\r\nGET /live HTTP/1.1\r\n\r\n')
  await asked.promise
  const left = door.retire()
  await idle.ended()
  made.resolve(['a 1\n'])
  assert.equal((await scraper.response()).text, 'a 1\n')
  const last = await scraper.response(1)
  assert.deepEqual([last.text, last.value('connection')], ['ok\n', 'close'])
  scraper.socket.end()
  await left
  server.close()
})

/** Asks ever more, and reads nothing of the answers: until nothing more of it is taken. */
async function askWithoutReading(port: number): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1').on('error', () => {})
  await once(socket, 'connect')
  socket.write('GET /live HTTP/1.1\r\n\r\n'.repeat(50_000))
  return socket
}

test('answers that nobody reads do not pile up', async () => {
  const { door, server, port } = await open(() => Promise.resolve([]))
  const came = once(server, 'connection') as Promise<[net.Socket]>
  const client = await askWithoutReading(port)
  const [socket] = await came
  let most = 0
  // More turns than it takes to answer all of them.
  for (let turn = 0; turn < 60_000; turn++) {
    await new Promise(setImmediate)
    most = Math.max(most, socket.writableLength)
  }
  assert.ok(most <= 2 * socket.writableHighWaterMark, `${most} bytes`)
  client.destroy()
  door.close()
  server.close()
})

test('clients that read no answer keep no probe out', async () => {
  const { door, server, port } = await open(() => Promise.resolve([]))
  const sockets: net.Socket[] = []
  // None of them takes a byte: each is in the middle of its answer, or of its last one.
  server.removeAllListeners('connection').on('connection', (socket: net.Socket) => {
    if (sockets.push(socket) <= 64) socket._write = () => {}
    if (sockets.length <= 64) socket._writev = () => {}
    door.take(socket)
  })
  for (let nth = 0; nth < 64; nth++) {
    const path = nth % 2 === 0 ? '/nothing' : '/live'
    const client = net.connect(port, '127.0.0.1', () => client.write(`GET ${path} HTTP/1.1\r\n\r\n`.repeat(1000)))
    client.on('error', () => {})
    const [socket] = (await once(server, 'connection')) as [net.Socket]
    while (socket.writableLength === 0) await new Promise(setImmediate)
  }
  using probe = await connect(port)
  void probe.write('GET /ready HTTP/1.1\r\n\r\n')
  assert.equal((await probe.response()).status, 200)
  door.close()
  server.close()
})
