import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { HANDOVER, hasHandedSockets, takeHandedSockets, unixPathOf } from '../../../src/runtime/handed-sockets.ts'
import { descriptorOf } from '../../../src/runtime/sockets.ts'

test('those of systemd are for the process that it names', () => {
  const env = { LISTEN_PID: '7', LISTEN_FDS: '2', LISTEN_FDNAMES: 'fluxgate.socket:admin', OTHER: 'x' }
  assert.ok(hasHandedSockets(env, 7))
  assert.deepEqual(takeHandedSockets(env, 7), {
    reportFd: undefined,
    sockets: [
      { name: 'server', fd: 3, isOurs: false },
      { name: 'admin', fd: 4, isOurs: false },
    ],
  })
  assert.deepEqual(env, { OTHER: 'x' })
  const foreign = { LISTEN_PID: '8', LISTEN_FDS: '1' }
  assert.ok(!hasHandedSockets(foreign, 7))
  assert.deepEqual(takeHandedSockets(foreign, 7), { reportFd: undefined, sockets: [] })
  assert.deepEqual(foreign, {})
})

test('without names the first one is for clients', () => {
  const [socket, ...more] = takeHandedSockets({ LISTEN_PID: '7', LISTEN_FDS: '1' }, 7).sockets
  assert.deepEqual([socket, more], [{ name: 'server', fd: 3, isOurs: false }, []])
})

test('those of a predecessor bring their addresses', () => {
  const env = {
    [HANDOVER]: '{"reportFd":3,"sockets":[{"name":"server","fd":4,"text":"127.0.0.1:0"}]}',
    LISTEN_FDS: '1',
  }
  assert.ok(hasHandedSockets(env))
  assert.deepEqual(takeHandedSockets(env), {
    reportFd: 3,
    sockets: [{ name: 'server', fd: 4, text: '127.0.0.1:0', isOurs: true }],
  })
  assert.deepEqual(env, {})
  for (const none of ['', '{', '7', 'null', '{"sockets":[]}'])
    assert.deepEqual(takeHandedSockets({ [HANDOVER]: none }), { reportFd: undefined, sockets: [] })
})

test('the path of a Unix socket is found by its descriptor, and no other socket has one', async () => {
  for (const [address, expected] of [
    [{ path: join(tmpdir(), `fluxgate a b ${process.pid}.sock`) }, join(tmpdir(), `fluxgate a b ${process.pid}.sock`)],
    [{ port: 0, host: '127.0.0.1' }, undefined],
  ] as const) {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(address, resolve))
    assert.equal(unixPathOf(descriptorOf(server)!), expected)
    server.close()
    assert.equal(descriptorOf(server), undefined)
  }
})
