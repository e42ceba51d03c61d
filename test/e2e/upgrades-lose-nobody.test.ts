import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer, connect as netConnect, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { adminPort, askAdmin } from '../support/admin.ts'
import { get, ok, upTo } from '../support/bytes.ts'
import { DEADLINE_MS } from '../support/deadline.ts'
import { assertWhole, EventStreams, openStreams } from '../support/event-streams.ts'
import { type ConfigObject, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type OriginRequest, startOrigin } from '../support/origin.ts'
import { connect, connectUnix, type RawClient } from '../support/raw-client.ts'
import { connectTls, PemFolder } from '../support/tls-gateway.ts'

/** More of them by this variable, and five times as many streams. */
const UPGRADES = Number(process.env.FLUXGATE_TEST_UPGRADES ?? 3)
const STREAMS = UPGRADES > 3 ? 50 : 10

const COMPLETE = 'Upgrade complete; draining'
const LISTENING = 'proxy server listening on'

/** The process that accepts now, after so many upgrades. */
async function upgrade(gateway: RunningGateway, pid: number, nth: number): Promise<number> {
  process.kill(pid, 'SIGUSR2')
  await gateway.waitForLog(COMPLETE, nth, 3 * DEADLINE_MS)
  await gateway.waitForLog(LISTENING, nth + 1)
  return Number([...gateway.log().matchAll(/"message":"Upgrade complete; draining","successor":(\d+)/g)].at(-1)![1])
}

/** One client after the other, each as long as its connection is kept; how many requests were answered. */
class Lane {
  answered = 0
  readonly #open: () => Promise<RawClient>
  readonly #isBrief: boolean
  #isOver = false
  readonly ended: Promise<void>

  /** `isBrief`: one request on each connection. */
  constructor(open: () => Promise<RawClient>, isBrief = false) {
    this.#open = open
    this.#isBrief = isBrief
    this.ended = this.#run()
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      using client = await this.#open()
      for (let nth = 0; !this.#isOver; nth++) {
        // What has been idle may be closed at any time, and says so before.
        if (client.ending !== undefined) break
        void client.write(get('/up/x'))
        const response = await client.response(nth)
        assert.deepEqual([response.status, response.text], [200, 'ok'])
        this.answered++
        if (this.#isBrief || response.value('connection') === 'close') break
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
  }

  end(): Promise<void> {
    this.#isOver = true
    return this.ended
  }
}

function answers(streams: EventStreams): (request: OriginRequest) => void {
  return (request) => {
    if (request.target.includes('/stream/')) void streams.answer(request)
    else void request.connection.write(ok('ok'))
  }
}

for (const workers of [1, 2]) {
  test(`requests, connections and streams outlive upgrades (${workers} workers)`, { timeout: 100_000 }, async () => {
    using streams = new EventStreams(20)
    await using origin = await startOrigin(answers(streams))
    await using gateway = await startGateway({ server: { workers }, ...upTo(origin) })
    const { port } = gateway
    const readers = await openStreams(port, '/up', STREAMS)
    const lanes = Array.from({ length: 8 }, () => new Lane(() => connect(port)))
    let { pid } = gateway
    const pids = [pid]
    for (let nth = 1; nth <= UPGRADES; nth++) {
      pid = await upgrade(gateway, pid, nth)
      const before = lanes.map(({ answered }) => answered)
      await gateway.until(() => lanes.every(({ answered }, i) => answered > before[i]! + 5), 'requests behind it')
      pids.push(pid)
    }
    assert.equal(new Set(pids).size, UPGRADES + 1)
    for (const lane of lanes) await lane.end()
    streams.finish()
    for (const reader of readers) await assertWhole(reader, streams)
    await gateway.waitForLog('shutdown complete', UPGRADES)
    const requests = lanes.reduce((sum, { answered }) => sum + answered, 0)
    await gateway.until(() => gateway.records().length === requests + readers.length, 'all records')
    for (const { outcome } of gateway.records()) assert.equal(outcome, 'complete')
    process.kill(pid, 'SIGTERM')
    await gateway.exited
    assert.doesNotMatch(gateway.log(), /"level":"(?:WARN|ERROR)"/)
  })
}

test('a Unix socket stays where it is, and the last one removes it', async () => {
  await using origin = await startOrigin(({ connection }) => void connection.write(ok('ok')))
  await using gateway = await startGateway({ server: { bind_address: 'unix:gateway.sock' }, ...upTo(origin) })
  const path = join(gateway.directory, 'gateway.sock')
  const lanes = Array.from({ length: 4 }, () => new Lane(() => connectUnix(path)))
  let { pid } = gateway
  for (let nth = 1; nth <= 2; nth++) pid = await upgrade(gateway, pid, nth)
  const before = lanes.map(({ answered }) => answered)
  await gateway.until(() => lanes.every(({ answered }, i) => answered > before[i]! + 5), 'requests behind it')
  for (const lane of lanes) await lane.end()
  await gateway.waitForLog('shutdown complete', 2)
  assert.ok(existsSync(path))
  process.kill(pid, 'SIGTERM')
  await gateway.exited
  assert.ok(!existsSync(path))
})

test('whoever is in the middle of a TLS handshake is served', async () => {
  using pems = new PemFolder()
  await using origin = await startOrigin(({ connection }) => void connection.write(ok('ok')))
  await using gateway = await startGateway({ server: { tls: pems.pair }, ...upTo(origin) })
  // It has been accepted, and says nothing yet.
  const slow = netConnect(gateway.port, '127.0.0.1')
  await once(slow, 'connect')
  using idle = await connectTls(gateway.port)
  void idle.client.write(get('/up/x'))
  await idle.client.response()
  await upgrade(gateway, gateway.pid, 1)
  // By then idle clients have been told to go.
  await idle.client.ended()
  using late = await connectTls(gateway.port, { socket: slow })
  void late.client.write(get('/up/x'))
  const response = await late.client.response()
  assert.deepEqual([response.status, response.value('connection')], [200, 'close'])
  await gateway.waitForLog('shutdown complete')
})

test('an operations door that is configured no more does not stay', async () => {
  await using gateway = await startGateway({ admin: { bind_address: '127.0.0.1:0' } }, { args: ['--pid-file', 'pid'] })
  const port = Number(/Admin server listening on 127\.0\.0\.1:(\d+)/.exec(gateway.log())![1])
  writeFileSync(gateway.configPath, 'version: 1\nserver: { bind_address: "127.0.0.1:0" }\n')
  const pid = await upgrade(gateway, gateway.pid, 1)
  await gateway.waitForLog('shutdown complete')
  await assert.rejects(connect(port), /ECONNREFUSED/)
  process.kill(pid, 'SIGTERM')
})

for (const workers of [1, 2]) {
  test(`what is cut at a stop behind a successor is told (${workers} workers)`, async () => {
    using streams = new EventStreams(20)
    await using origin = await startOrigin(answers(streams))
    await using gateway = await startGateway(
      { server: { workers, shutdown_timeout_ms: 2500 }, ...upTo(origin) },
      { args: ['--pid-file', 'pid'] },
    )
    await openStreams(gateway.port, '/up', 2)
    const pid = await upgrade(gateway, gateway.pid, 1)
    gateway.signal('SIGTERM')
    await gateway.waitForLog('Exchanges were cut at the end of the shutdown timeout","connections":2')
    await gateway.waitForLog('shutdown complete')
    process.kill(pid, 'SIGTERM')
    assert.equal((await gateway.exited).code, 1)
  })
}

test('the pid file follows the one that accepts, and goes with the last one', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({ ...upTo(origin) }, { args: ['--pid-file', 'pid'] })
  const path = join(gateway.directory, 'pid')
  assert.equal(readFileSync(path, 'utf8'), `${gateway.pid}\n`)
  const pid = await upgrade(gateway, gateway.pid, 1)
  assert.equal(readFileSync(path, 'utf8'), `${pid}\n`)
  await gateway.waitForLog('shutdown complete')
  assert.equal(readFileSync(path, 'utf8'), `${pid}\n`)
  process.kill(pid, 'SIGTERM')
  await gateway.exited
  assert.ok(!existsSync(path))
})

test('a successor that cannot write its pid takes nobody', { timeout: 60_000 }, async () => {
  await using origin = await startOrigin(({ connection }) => void connection.write(ok('ok')))
  await using gateway = await startGateway({ server: { workers: 2 }, ...upTo(origin) }, { args: ['--pid-file', 'pid'] })
  // Nothing can be written where a folder stands.
  rmSync(join(gateway.directory, 'pid'))
  mkdirSync(join(gateway.directory, 'pid'))
  const lanes = Array.from({ length: 4 }, () => new Lane(() => connect(gateway.port), true))
  gateway.signal('SIGUSR2')
  await gateway.waitForLog('Upgrade failed; going on')
  const before = lanes.map(({ answered }) => answered)
  await gateway.until(() => lanes.every(({ answered }, i) => answered > before[i]! + 5), 'requests behind it')
  for (const lane of lanes) await lane.end()
  assert.deepEqual(
    readdirSync(gateway.directory).filter((name) => name.startsWith('pid.')),
    [],
  )
})

test('a successor whose workers are not up takes nobody, and leaves nothing behind', { timeout: 60_000 }, async () => {
  await using origin = await startOrigin(({ connection }) => void connection.write(ok('ok')))
  const hook = fileURLToPath(new URL('../support/held-workers.ts', import.meta.url))
  await using gateway = await startGateway(
    { server: { workers: 2 }, ...upTo(origin) },
    { args: ['--pid-file', 'pid'], env: { NODE_OPTIONS: `--import=${hook}` } },
  )
  writeFileSync(join(gateway.directory, 'held'), '')
  const lanes = Array.from({ length: 4 }, () => new Lane(() => connect(gateway.port), true))
  const untilServed = (): Promise<unknown> => {
    const before = lanes.map(({ answered }) => answered)
    return gateway.until(() => lanes.every(({ answered }, i) => answered > before[i]! + 20), 'requests')
  }
  gateway.signal('SIGUSR2')
  await gateway.waitForLog('Fluxgate proxy initialized', 2)
  await untilServed()
  const aside = readdirSync(gateway.directory).find((name) => name.startsWith('pid.'))!
  process.kill(Number(aside.slice('pid.'.length)), 'SIGKILL')
  await gateway.waitForLog('Upgrade failed; going on')
  await untilServed()
  assert.ok(!existsSync(join(gateway.directory, aside)))
  // A stop takes the next one along.
  gateway.signal('SIGUSR2')
  await gateway.waitForLog('Fluxgate proxy initialized', 3)
  await untilServed()
  for (const lane of lanes) await lane.end()
  gateway.signal('SIGTERM')
  await gateway.exited
  assert.deepEqual(
    readdirSync(gateway.directory).filter((name) => name.startsWith('pid')),
    [],
  )
})

test('what a successor has said while its predecessor was stopped is heard', async () => {
  await using origin = await startOrigin(({ connection }) => void connection.write(ok('ok')))
  await using gateway = await startGateway({ ...upTo(origin) }, { args: ['--pid-file', 'pid'] })
  gateway.signal('SIGUSR2')
  await gateway.waitForLog('Upgrade started')
  gateway.signal('SIGSTOP')
  await gateway.waitForLog(LISTENING, 2)
  using client = await connect(gateway.port)
  void client.write(get('/up/x'))
  assert.equal((await client.response()).status, 200)
  gateway.signal('SIGTERM')
  gateway.signal('SIGCONT')
  await gateway.waitForLog('shutdown complete')
  void client.write(get('/up/x'))
  assert.equal((await client.response(1)).status, 200)
  process.kill(Number(readFileSync(join(gateway.directory, 'pid'), 'utf8')), 'SIGTERM')
})

test('without a place for its pid the gateway does not start', async () => {
  await using gateway = await startGateway({}, { args: ['--pid-file', 'nowhere/pid'], wait: false })
  assert.equal((await gateway.exited).code, 1)
  assert.match(
    gateway.log(),
    /"level":"ERROR","message":"Failed to write the pid file","path":"nowhere\/pid","error":"ENOENT/,
  )
})

test('where the configuration is broken by now, everything stays as it is', async () => {
  await using origin = await startOrigin(({ connection }) => void connection.write(ok('ok')))
  await using gateway = await startGateway({ ...upTo(origin) })
  const { port, pid } = gateway
  gateway.rewrite('version: 1\nupstreams: [')
  await gateway.waitForLog('Configuration file changed but')
  process.kill(pid, 'SIGUSR2')
  await gateway.waitForLog('Upgrade failed; going on')
  assert.match(
    gateway.log(),
    /"level":"ERROR","message":"Upgrade failed; going on","error":"the configuration is not valid: /,
  )
  using client = await connect(port)
  void client.write(get('/up/x'))
  assert.equal((await client.response()).status, 200)
  // And once it is mended, the next one works.
  gateway.rewrite(upTo(origin))
  await upgrade(gateway, pid, 1)
  assert.equal(gateway.log().split('Upgrade failed').length, 2)
})

test('a second signal while a successor starts asks for nothing more, and a stop takes it along', async () => {
  await using gateway = await startGateway({})
  const { pid } = gateway
  process.kill(pid, 'SIGUSR2')
  process.kill(pid, 'SIGUSR2')
  await gateway.waitForLog('Upgrade started')
  process.kill(pid, 'SIGTERM')
  // Its stdout ends when nobody has it any more.
  await gateway.exited
  assert.equal(gateway.log().split('Upgrade started').length, 2)
  assert.doesNotMatch(gateway.log(), /Upgrade failed/)
})

test('an address that is another one by now is bound anew', async () => {
  await using origin = await startOrigin(({ connection }) => void connection.write(ok('ok')))
  const unix = { server: { bind_address: 'unix:other.sock' }, ...upTo(origin) }
  await using gateway = await startGateway({ ...upTo(origin) }, { args: ['--pid-file', 'pid'] })
  // The file is changed and the signal comes before that could be seen.
  writeFileSync(
    gateway.configPath,
    `${JSON.stringify({ version: 1, ...unix, api_keys: { static: [{ key: 'k'.repeat(40) }] } })}`,
  )
  const pid = await upgrade(gateway, gateway.pid, 1)
  await gateway.waitForLog('shutdown complete')
  using client = await connectUnix(join(gateway.directory, 'other.sock'))
  void client.write(get('/up/x'))
  assert.equal((await client.response()).status, 401)
  process.kill(pid, 'SIGTERM')
})

test('an operations door that is in the file no more is closed, and not held by a successor that never answers', async () => {
  await using gateway = await startGateway({ admin: { bind_address: '127.0.0.1:0' } })
  const port = adminPort(gateway)
  // The file is changed and the signal comes before that could be seen.
  writeFileSync(gateway.configPath, 'version: 1\napi_keys: { allow_anonymous: true }\nupstreams: {}\n')
  const pid = await upgrade(gateway, gateway.pid, 1)
  await gateway.waitForLog('shutdown complete')
  await assert.rejects(connect(port))
  process.kill(pid, 'SIGTERM')
})

test('probes find a gateway that is ready all through upgrades', async () => {
  await using gateway = await startGateway({ admin: { bind_address: '127.0.0.1:0' }, server: { workers: 2 } })
  const port = adminPort(gateway)
  let isOver = false
  const probes = (async () => {
    for (let nth = 0; !isOver; nth++) {
      const { status, text } = await askAdmin(port, '/ready')
      assert.deepEqual([nth, status, text], [nth, 200, 'ready\n'])
    }
  })()
  let { pid } = gateway
  for (let nth = 1; nth <= 2; nth++) pid = await Promise.race([upgrade(gateway, pid, nth), probes.then(() => 0)])
  isOver = true
  await probes
  process.kill(pid, 'SIGTERM')
})

test('a configuration that came through a pipe cannot be read again', async () => {
  await using gateway = await startGateway(
    {},
    { under: ['sh', '-c', 'cat fluxgate.yaml | "$1" --config -; exit', 'sh'], wait: false },
  )
  await gateway.waitForLog(LISTENING)
  const pid = Number(readFileSync(`/proc/${gateway.pid}/task/${gateway.pid}/children`, 'utf8').trim().split(' ').at(-1))
  process.kill(pid, 'SIGUSR2')
  await gateway.waitForLog('"message":"Upgrade failed; going on","error":"the configuration came through a pipe')
  process.kill(pid, 'SIGTERM')
  await gateway.exited
})

// ---- systemd

function listen(server: Server): Promise<number> {
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
  )
}

/** As systemd does: the pid is that of the process that the command becomes. */
const ACTIVATED = ['sh', '-c', 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"', 'sh']

/** A program in the place of systemd's, which writes down what it was given. */
const NOTIFY = `printf '#!/bin/sh\\necho "$@" >> told\\n' > systemd-notify; chmod +x systemd-notify`

test('a socket of systemd is listened on, and left where it is', async () => {
  await using origin = await startOrigin(({ connection }) => void connection.write(ok('ok')))
  const server = createServer()
  const port = await listen(server)
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle
  await using gateway = await startGateway(
    { server: { bind_address: `127.0.0.1:${port}` }, ...upTo(origin) },
    { under: ACTIVATED, descriptors: [fd] },
  )
  // Whoever accepts here would take some of them.
  server.close()
  using client = await connect(port)
  void client.write(get('/up/x'))
  assert.equal((await client.response()).status, 200)
  gateway.signal('SIGTERM')
  assert.equal((await gateway.exited).code, 0)
})

test('the file of a Unix socket of systemd is left where it is after an upgrade as well', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'fluxgate-'))
  const path = join(directory, 'gateway.sock')
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle
  await using gateway = await startGateway(
    { server: { bind_address: `unix:${path}` } },
    { under: ACTIVATED, descriptors: [fd], wait: false },
  )
  await gateway.waitForLog(LISTENING)
  // Node removes the file with its server.
  linkSync(path, `${path}.kept`)
  await new Promise((resolve) => server.close(resolve))
  renameSync(`${path}.kept`, path)
  const pid = await upgrade(gateway, gateway.pid, 1)
  await gateway.waitForLog('shutdown complete')
  process.kill(pid, 'SIGTERM')
  await gateway.waitForLog('shutdown complete', 2)
  await gateway.exited
  assert.ok(existsSync(path))
  rmSync(directory, { recursive: true })
})

test('a socket of systemd at another address than the configuration names is a mistake', async () => {
  const server = createServer()
  const port = await listen(server)
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle
  await using gateway = await startGateway(
    { server: { bind_address: '127.0.0.1:1' } },
    { under: ACTIVATED, descriptors: [fd], wait: false },
  )
  assert.equal((await gateway.exited).code, 1)
  const said = `systemd has handed over a socket at 127.0.0.1:${port}, and server.bind_address is 127.0.0.1:1`
  assert.ok(gateway.log().includes(said), gateway.log())
  server.close()
})

/** A gateway that listens at an address which systemd, played by this process, listens at as well. */
async function startActivated(host: string, more: (port: number) => ConfigObject, env: NodeJS.ProcessEnv = {}) {
  const server = createServer({ pauseOnConnect: true }).unref()
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  const { port } = server.address() as { port: number }
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle
  const gateway = await startGateway(more(port), { under: ACTIVATED, descriptors: [fd], env })
  return { gateway, port, server }
}

test('a socket of systemd is not let go of for another address, by a reload or an upgrade', async () => {
  await using origin = await startOrigin(({ connection }) => void connection.write(ok('ok')))
  const config = (host: string, port: number): ConfigObject => ({
    server: { bind_address: `${host}:${port}` },
    ...upTo(origin),
  })
  const { gateway: started, port, server } = await startActivated('0.0.0.0', (at) => config('0.0.0.0', at))
  await using gateway = started
  const said = `systemd has handed over a socket at 0.0.0.0:${port}, and server.bind_address is`
  // One that overlaps, one that does not.
  for (const [host, at] of [
    ['127.0.0.1', port],
    ['127.0.0.1', 0],
  ] as const) {
    gateway.rewrite(config(host, at))
    await gateway.waitForLog(`"error":"${said} ${host}:${at}:`)
  }
  gateway.signal('SIGUSR2')
  await gateway.waitForLog('Upgrade failed; going on')
  await gateway.waitForLog(said, 3)
  // And back: nothing has been lost.
  gateway.rewrite({ ...config('0.0.0.0', port), api_keys: { static: [{ id: 'other', key: 'k'.repeat(40) }] } })
  await gateway.waitForLog('reloaded automatically', 3)
  // From here on nobody else takes one.
  server.close()
  let { pid } = gateway
  for (let nth = 1; nth <= 2; nth++) {
    pid = await upgrade(gateway, pid, nth)
    await gateway.waitForLog('shutdown complete', nth)
    using client = await connect(port)
    void client.write(get('/up/x'))
    assert.equal((await client.response()).status, 401)
  }
  process.kill(pid, 'SIGTERM')
})

test('an operations socket of systemd that nobody has wanted yet goes on to each successor', async () => {
  const under = ['sh', '-c', 'export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=admin; exec "$@"', 'sh']
  const server = createServer()
  const port = await listen(server)
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle
  await using gateway = await startGateway({}, { under, descriptors: [fd] })
  let { pid } = gateway
  for (let nth = 1; nth <= 2; nth++) {
    pid = await upgrade(gateway, pid, nth)
    await gateway.waitForLog('shutdown complete', nth)
  }
  gateway.rewrite({ admin: { bind_address: `127.0.0.1:${port}` } })
  await gateway.waitForLog('Admin server listening on')
  server.close()
  assert.equal((await askAdmin(port, '/live')).status, 200)
  process.kill(pid, 'SIGTERM')
})

test('systemd hears which process serves, after an upgrade as well', async () => {
  await using gateway = await startGateway(
    {},
    {
      under: ['sh', '-c', `${NOTIFY}; export PATH="$PWD:$PATH"; exec "$@"`, 'sh'],
      env: { NOTIFY_SOCKET: '/run/systemd/notify' },
    },
  )
  const told = (): string => readFileSync(join(gateway.directory, 'told'), { encoding: 'utf8', flag: 'a+' })
  const untilTold = async (text: string): Promise<void> => {
    for (const end = performance.now() + DEADLINE_MS; told() !== text; ) {
      assert.ok(performance.now() < end, told())
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  const first = `--ready MAINPID=${gateway.pid}\n`
  await untilTold(first)
  const pid = await upgrade(gateway, gateway.pid, 1)
  await untilTold(`${first}--ready MAINPID=${pid}\n`)
  process.kill(pid, 'SIGTERM')
  await gateway.exited
})

test('systemd has heard of the successor before the process that it knew ends', async () => {
  // It is slow, and then looks whether the first one is still there.
  const notify = `printf '#!/bin/sh\\n[ -e first ] || { touch first; exit; }\\nsleep 0.5; kill -0 %s && touch alive; touch told\\n' $$ > systemd-notify; chmod +x systemd-notify`
  await using gateway = await startGateway(
    {},
    {
      under: ['sh', '-c', `${notify}; export PATH="$PWD:$PATH"; exec "$@"`, 'sh'],
      env: { NOTIFY_SOCKET: '/run/systemd/notify' },
    },
  )
  const untilThere = async (name: string): Promise<void> => {
    for (const end = performance.now() + DEADLINE_MS; !existsSync(join(gateway.directory, name)); ) {
      assert.ok(performance.now() < end, name)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  await untilThere('first')
  const pid = await upgrade(gateway, gateway.pid, 1)
  await untilThere('told')
  assert.ok(existsSync(join(gateway.directory, 'alive')))
  process.kill(pid, 'SIGTERM')
})

// ---- shutdown_delay_ms

test('a stop goes on accepting for server.shutdown_delay_ms, and answers say that the connection ends', async () => {
  await using origin = await startOrigin(({ connection }) => void connection.write(ok('ok')))
  for (const workers of [1, 2]) {
    await using gateway = await startGateway({ server: { workers, shutdown_delay_ms: 3000 }, ...upTo(origin) })
    using kept = await connect(gateway.port)
    void kept.write(get('/up/x'))
    assert.equal((await kept.response()).value('connection'), undefined)
    gateway.signal('SIGTERM')
    await gateway.waitForLog('Shutdown signal received')
    for (let nth = 0; nth < 3; nth++) {
      using late = await connect(gateway.port)
      void late.write(get('/up/x'))
      const response = await late.response()
      assert.equal(response.status, 200)
      // A worker may hear of it a moment later.
      if (nth > 0) assert.equal(response.value('connection'), 'close')
      if (nth === 0) await new Promise((resolve) => setTimeout(resolve, 100))
    }
    assert.doesNotMatch(gateway.log(), /shutdown complete/)
    assert.equal((await gateway.exited).code, 0)
  }
})
