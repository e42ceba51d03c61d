import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, linkSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { get, post, upTo } from '../support/bytes.ts'
import { COMMAND, type ConfigObject, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connectUnix, exchange } from '../support/raw-client.ts'

/** Where sockets are, so that their paths stay short. */
function folderOf(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'fg-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const on = (socket: string, more: ConfigObject = {}): ConfigObject => ({
  server: { bind_address: `unix:${socket}`, ...more },
})

const modeOf = (file: string): string => (statSync(file).mode & 0o777).toString(8)

async function statusAt(socket: string, ...lines: string[]): Promise<number> {
  using client = await connectUnix(socket)
  void client.write(get('/up/', ...lines))
  return (await client.response()).status
}

/** A socket's file that nobody listens on any more. */
async function leaveStale(socket: string): Promise<void> {
  const server = net.createServer().listen(`${socket}.0`)
  await once(server, 'listening')
  linkSync(`${socket}.0`, socket)
  server.close()
  await once(server, 'close')
  assert.ok(statSync(socket).isSocket())
}

test('requests are served, the log says where, and a stop removes the file', async (t) => {
  const socket = path.join(folderOf(t), 'x.sock')
  await using origin = await startOrigin()
  await using gateway = await startGateway({ ...on(socket), ...upTo(origin) })
  await gateway.waitForLog(`Starting proxy server on unix:${socket}`)
  await gateway.waitForLog(`Fluxgate proxy server listening on unix:${socket}`)
  assert.equal(modeOf(socket), '660')
  using client = await connectUnix(socket)
  const content = 'x'.repeat(3_000_000)
  void client.write(post('/up/', content))
  assert.equal((await client.response(0)).status, 200)
  assert.equal((await origin.request(0)).text, content)
  void client.write(get('/up/', 'X-Forwarded-For: 203.0.113.1'))
  assert.equal((await client.response(1)).status, 200)
  const { client_ip, peer_ip, outcome } = await gateway.waitForRecord()
  assert.deepEqual([client_ip, peer_ip, outcome], [undefined, undefined, 'complete'])
  gateway.signal('SIGTERM')
  assert.deepEqual(await gateway.exited, { code: 0, signal: null })
  assert.equal(existsSync(socket), false)
})

test('a relative path starts at the folder of the configuration', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({ ...on('x.sock'), ...upTo(origin) })
  assert.equal(await statusAt(path.join(gateway.directory, 'x.sock')), 200)
})

test('a body without an end of its own that breaks off, a client that leaves', async (t) => {
  const socket = path.join(folderOf(t), 'x.sock')
  await using origin = await startOrigin((request) => void request.connection.write('HTTP/1.1 200 OK\r\n\r\npart'))
  await using gateway = await startGateway({ ...on(socket), ...upTo(origin) })
  using client = await connectUnix(socket)
  void client.write(get('/up/'))
  await client.untilContent('part')
  ;(await origin.request(0)).connection.socket.resetAndDestroy()
  await client.ended()
  assert.equal((await gateway.waitForRecord()).outcome, 'upstream_abort')
  using leaving = await connectUnix(socket)
  void leaving.write(get('/up/'))
  await leaving.untilContent('part')
  leaving.socket.destroy()
  await gateway.waitForRecord(({ outcome }) => outcome === 'client_abort')
  assert.doesNotMatch(gateway.log(), /"ERROR"/)
})

test('the client is named by a PROXY header or by the fields of who connects to the socket', async (t) => {
  const socket = path.join(folderOf(t), 'x.sock')
  await using origin = await startOrigin()
  await using gateway = await startGateway({ ...on(socket, { trusted_proxies: ['unix'] }), ...upTo(origin) })
  assert.equal(await statusAt(socket, 'X-Forwarded-For: 203.0.113.1'), 200)
  const first = await gateway.waitForRecord()
  assert.deepEqual([first.client_ip, first.peer_ip], ['203.0.113.1', undefined])
  gateway.rewrite({ ...on(socket, { proxy_protocol: { from: ['unix'] } }), ...upTo(origin) })
  await gateway.waitForLog('reloaded automatically')
  using client = await connectUnix(socket)
  void client.write(`PROXY TCP4 203.0.113.2 10.0.0.1 1 2\r\n${get('/up/2')}`)
  assert.equal((await client.response()).status, 200)
  assert.equal((await gateway.waitForRecord(({ request_url }) => request_url === '/up/2')).client_ip, '203.0.113.2')
  using none = await connectUnix(socket)
  void none.write(get('/up/'))
  await none.ended()
  assert.equal(none.received, '')
  await gateway.waitForLog('Closed a connection without a valid PROXY header')
})

test('a stale file is replaced, also after a kill', async (t) => {
  const socket = path.join(folderOf(t), 'x.sock')
  await leaveStale(socket)
  await using origin = await startOrigin()
  const config = { ...on(socket, { socket_mode: '0600' }), ...upTo(origin) }
  {
    await using gateway = await startGateway(config)
    assert.equal(await statusAt(socket), 200)
    assert.equal(modeOf(socket), '600')
    gateway.signal('SIGKILL')
    await gateway.exited
  }
  assert.ok(existsSync(socket))
  await using next = await startGateway(config)
  assert.equal(await statusAt(socket), 200)
  assert.ok(next.pid > 0)
})

test('what is in use stays: the one that listens wins', async (t) => {
  const socket = path.join(folderOf(t), 'x.sock')
  await using origin = await startOrigin()
  await using gateway = await startGateway({ ...on(socket), ...upTo(origin) })
  await using late = await startGateway({ ...on(socket), ...upTo(origin) }, { wait: false })
  await late.waitForLog('Failed to bind to address')
  assert.deepEqual(await late.exited, { code: 1, signal: null })
  assert.match(
    late.log(),
    /"Failed to bind to address","address":"unix:[^"]*","error":"another process listens on this/,
  )
  assert.equal(await statusAt(socket), 200)
  assert.equal(gateway.exit, undefined)
})

test('a socket that another has put at its path is left alone by a stop and by a move', async (t) => {
  const folder = folderOf(t)
  const socket = path.join(folder, 'x.sock')
  await using origin = await startOrigin()
  for (const leave of ['stops', 'moves']) {
    await using gateway = await startGateway({ ...on(socket), ...upTo(origin) })
    rmSync(socket)
    await using next = await startGateway({ ...on(socket), ...upTo(origin) })
    if (leave === 'stops') {
      gateway.signal('SIGTERM')
      assert.deepEqual(await gateway.exited, { code: 0, signal: null })
    } else {
      gateway.rewrite({ ...on(`${socket}.2`), ...upTo(origin) })
      await gateway.waitForLog(`Fluxgate proxy server listening on unix:${socket}.2`)
      await gateway.waitForLog('reloaded automatically')
    }
    assert.equal(await statusAt(socket), 200, `when the one before it ${leave}`)
    assert.equal(next.exit, undefined)
    next.signal('SIGTERM')
    await next.exited
  }
})

test('what is no socket is never removed; a folder that is missing is named', async (t) => {
  const folder = folderOf(t)
  const file = path.join(folder, 'x.sock')
  writeFileSync(file, 'precious')
  for (const [place, error] of [
    [file, 'a file that is no socket stands at this path; it is not removed'],
    [folder, 'a file that is no socket stands at this path; it is not removed'],
    [path.join(folder, 'gone', 'x.sock'), `the folder ${path.join(folder, 'gone')} does not exist`],
  ] as const) {
    await using gateway = await startGateway({ ...on(place) }, { wait: false })
    await gateway.waitForLog('Failed to bind to address')
    assert.deepEqual(await gateway.exited, { code: 1, signal: null })
    assert.ok(gateway.log().includes(`"error":${JSON.stringify(error)}`), gateway.log())
  }
  assert.equal(readFileSync(file, 'utf8'), 'precious')
})

test('from an address to a socket, to another, and back: what runs goes on', async (t) => {
  const folder = folderOf(t)
  const [one, two] = [path.join(folder, '1.sock'), path.join(folder, '2.sock')]
  const waiting: (() => void)[] = []
  await using origin = await startOrigin(async (request) => {
    if (request.target === '/wait') await new Promise<void>((resolve) => waiting.push(resolve))
    await request.connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  await using gateway = await startGateway(upTo(origin))
  const tcp = gateway.port
  let moves = 0
  const move = async (bind_address: string): Promise<void> => {
    gateway.rewrite({ server: { bind_address }, ...upTo(origin) })
    await gateway.waitForLog('Fluxgate proxy server listening on', ++moves + 1)
    assert.ok(gateway.log().trimEnd().split('\n').at(-1)!.includes(`listening on ${bind_address}"`))
  }
  await move(`unix:${one}`)
  await assert.rejects(exchange(tcp, get('/up/')), { code: 'ECONNREFUSED' })
  using running = await connectUnix(one)
  void running.write(get('/up/wait'))
  await origin.request(0)
  await move(`unix:${two}`)
  assert.equal(existsSync(one), false)
  assert.equal(await statusAt(two), 200)
  await move(`127.0.0.1:${tcp}`)
  assert.equal(existsSync(two), false)
  assert.equal((await exchange(tcp, get('/up/'))).status, 200)
  waiting[0]!()
  assert.equal((await running.response()).status, 200)
  await move(`unix:${one}`)
  void running.write(get('/up/'))
  assert.equal((await running.response(1)).status, 200, 'a connection from before stays')
})

test('whoever has connected is served, however often it moves meanwhile', async (t) => {
  const folder = folderOf(t)
  const paths = [path.join(folder, '1.sock'), path.join(folder, '2.sock')] as const
  await using origin = await startOrigin()
  await using gateway = await startGateway({ ...on(paths[0]), ...upTo(origin) })
  let isOver = false
  let served = 0
  async function connectOnAndOn(socket: string): Promise<void> {
    while (!isOver) {
      const client = await connectUnix(socket).catch((error: NodeJS.ErrnoException) => {
        assert.match(`${error.code}`, /^(?:ENOENT|ECONNREFUSED)$/)
      })
      if (client === undefined) await new Promise(setImmediate)
      else {
        using connected = client
        void connected.write(get('/up/'))
        assert.equal((await connected.response()).status, 200)
        served++
      }
    }
  }
  const clients = Promise.all([...paths, ...paths].map(connectOnAndOn))
  try {
    for (let i = 1; i <= 4; i++) {
      gateway.rewrite({ ...on(paths[i % 2 === 0 ? 0 : 1]), ...upTo(origin) })
      await gateway.waitForLog('Fluxgate proxy server listening on', i + 1)
    }
  } finally {
    isOver = true
  }
  await clients
  assert.ok(served > 0)
})

test('another mode needs no other socket', async (t) => {
  const socket = path.join(folderOf(t), 'x.sock')
  await using origin = await startOrigin()
  await using gateway = await startGateway({ ...on(socket), ...upTo(origin) })
  using client = await connectUnix(socket)
  const { ino } = statSync(socket)
  gateway.rewrite({ ...on(socket, { socket_mode: '0606' }), ...upTo(origin) })
  await gateway.waitForLog('reloaded automatically')
  await gateway.until(() => modeOf(socket) === '606', 'the mode')
  assert.equal(statSync(socket).ino, ino)
  void client.write(get('/up/'))
  assert.equal((await client.response()).status, 200)
  assert.doesNotMatch(gateway.log(), /Bind address changed/)
})

test('a socket that cannot be had leaves the old one', async (t) => {
  const folder = folderOf(t)
  const [socket, file] = [path.join(folder, 'x.sock'), path.join(folder, 'file')]
  writeFileSync(file, '')
  await using origin = await startOrigin()
  await using gateway = await startGateway({ ...on(socket), ...upTo(origin) })
  gateway.rewrite({ ...on(file), ...upTo(origin, { api_key: 'another-key-of-the-provider' }) })
  await gateway.waitForLog('Failed to bind to address')
  assert.equal(await statusAt(socket), 200)
  assert.match((await origin.request(0)).head, /another-key-of-the-provider/)
  gateway.rewrite({ ...on(socket, { keep_alive_timeout_ms: 70_000 }), ...upTo(origin) })
  await gateway.waitForLog('reloaded automatically', 2)
  assert.equal(await statusAt(socket), 200)
})

test('while the rest of the file is wrong, the socket is there with its mode', async (t) => {
  const socket = path.join(folderOf(t), 'x.sock')
  const server = { bind_address: `unix:${socket}`, socket_mode: '0666' }
  await using gateway = await startGateway(JSON.stringify({ version: 2, server }))
  assert.equal(await statusAt(socket), 503)
  assert.equal(modeOf(socket), '666')
  assert.equal(gateway.exit, undefined)
})

test('check says where it listens, and what is wrong with a path', (t) => {
  const folder = folderOf(t)
  const file = path.join(folder, 'fluxgate.yaml')
  const check = (server: ConfigObject): string => {
    const upstreams = { up: { request_path: '/up', target_url: 'http://127.0.0.1:1' } }
    writeFileSync(file, JSON.stringify({ version: 1, server: { allow_anonymous: true, ...server }, upstreams }))
    return spawnSync(COMMAND, ['check', '--config', file], { encoding: 'utf8' }).stdout
  }
  assert.ok(check({ bind_address: 'unix:x.sock' }).includes(`listens on the socket ${folder}/x.sock with mode 0660`))
  assert.match(check({ bind_address: `unix:/${'x'.repeat(120)}` }), /server\.bind_address: names a path of 121 bytes/)
  assert.match(check({ bind_address: 'unix:' }), /server\.bind_address: must name the file of a socket/)
  assert.match(check({ socket_mode: 660 }), /server\.socket_mode: must be octal permissions in quotes/)
  assert.match(check({ socket_mode: '0888' }), /server\.socket_mode: must be octal permissions in quotes/)
  assert.match(check({ proxy_protocol: {} }), /server\.proxy_protocol\.from: is missing; must be a list/)
  assert.match(check({ proxy_protocol: { from: [] } }), /server\.proxy_protocol\.from: must name somebody/)
  assert.match(check({ proxy_protocol: true }), /server\.proxy_protocol: must be a mapping with from/)
  assert.match(check({ trusted_proxies: ['proxy.example'] }), /server\.trusted_proxies\[0\]: must be an address or a/)
  assert.match(check({ trusted_proxies: ['::1', '10.0.0.1/8'] }), /server\.trusted_proxies\[1\]: has bits behind its/)
})
