import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type GatewayConfiguration, type GatewayError, type RunningGateway, startGateway } from '../../src/library.ts'
import { get } from '../support/bytes.ts'
import { Watch } from '../support/deadline.ts'
import { CLIENT_KEY, PROVIDER_KEY } from '../support/gateway.ts'
import { OK, type Origin, startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

// The library (docs/decisions/0043): gateways in the process of this test, and in one of their own where the process matters.

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

function upTo(origin: Origin, server: GatewayConfiguration['server'] = {}): GatewayConfiguration {
  return {
    version: 1,
    server: { bind_address: '127.0.0.1:0', ...server },
    upstreams: { up: { request_path: '/up', target_url: `http://127.0.0.1:${origin.port}`, api_key: { env: 'UP' } } },
    api_keys: { static: [{ id: 'test', key: CLIENT_KEY }] },
  }
}

const ENV = { UP: PROVIDER_KEY, FLUXGATE_LOG: 'trace', FLUXGATE_LOG_FORMAT: 'json' }

async function ask(gateway: RunningGateway, target = '/up/x'): Promise<number> {
  const response = await fetch(gateway.url + target, { headers: { authorization: `Bearer ${CLIENT_KEY}` } })
  await response.arrayBuffer()
  return response.status
}

/** Lines that have come, and a way to wait for one. */
function collectLines() {
  const lines: string[] = []
  const watch = new Watch()
  return {
    lines,
    take: (line: string): void => {
      lines.push(line)
      watch.notice()
    },
    waitFor: (text: string) => watch.until(() => lines.find((line) => line.includes(text)), `${text} among ${lines}`),
  }
}

async function codeOf(attempt: Promise<unknown>): Promise<[string, readonly string[]]> {
  try {
    await attempt
  } catch (error) {
    const { code, problems } = error as GatewayError
    return [code, problems]
  }
  throw new Error('it was carried out')
}

/** Nobody listens there any more. */
async function isFree(address: string): Promise<boolean> {
  const socket = net.connect({ host: '127.0.0.1', port: Number(address.split(':').at(-1)) })
  return new Promise((resolve) => {
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.once('error', () => resolve(true))
  })
}

test('it serves, takes another configuration, and stops', async () => {
  await using origin = await startOrigin(OK)
  const { take, waitFor } = collectLines()
  await using gateway = await startGateway({ config: upTo(origin), env: ENV, log: take })
  assert.equal(gateway.url, `http://${gateway.address}`)
  assert.equal(await ask(gateway), 200)
  assert.deepEqual((await origin.request(0)).values('authorization'), [`Bearer ${PROVIDER_KEY}`])
  await waitFor('"outcome":"complete"')

  const { address } = gateway
  await gateway.reload({ ...upTo(origin), upstreams: {} })
  assert.equal(gateway.address, address)
  assert.equal(await ask(gateway), 401)
  await gateway.reload()
  assert.equal(await ask(gateway), 200)

  assert.deepEqual(await gateway.stop(), { cut: 0 })
  await waitFor('Proxy server shutdown complete')
  assert.equal(await isFree(address), true)
  assert.deepEqual(await gateway.stop(), { cut: 0 })
  assert.deepEqual(await codeOf(gateway.reload()), ['ERR_FLUXGATE_STOPPED', []])
})

test('two of them, one with workers, have nothing in common', async () => {
  await using origin = await startOrigin(OK)
  const [one, two] = [collectLines(), collectLines()]
  await using first = await startGateway({ config: upTo(origin), env: { ...ENV, UP: 'key-1' }, log: one.take })
  await using second = await startGateway({
    config: upTo(origin, { workers: 2 }),
    env: { ...ENV, UP: 'key-2', FLUXGATE_LOG_FORMAT: 'text' },
    log: two.take,
  })
  assert.deepEqual(await Promise.all([ask(first, '/up/1'), ask(second, '/up/2')]), [200, 200])
  const sent = await Promise.all([origin.request(0), origin.request(1)])
  const keys = new Map(sent.map((request) => [request.target, request.values('authorization')[0]]))
  assert.deepEqual([keys.get('/1'), keys.get('/2')], ['Bearer key-1', 'Bearer key-2'])
  assert.match(await one.waitFor('Request processed'), /^\{.*"request_url":"\/up\/1"/)
  assert.match(await two.waitFor('Request processed'), /^\d{4}-.* TRACE .*request_url=\/up\/2/)
  await first.stop()
  assert.equal(await ask(second, '/up/2'), 200)
  assert.equal(one.lines.filter((line) => line.includes('/up/2')).length, 0)
})

test('a configuration that is not valid starts nothing, and replaces nothing', async () => {
  await using origin = await startOrigin(OK)
  const wrong = {
    ...upTo(origin),
    upstreams: { up: { request_path: 'up', target_url: 'ftp://a', api_key: 'sk-very-secret' } },
  }
  const problems = [
    'config: upstreams.up.request_path: must be a path that starts with /',
    'config: upstreams.up.target_url: must be an absolute URL that starts with https:// or http://',
  ]
  assert.deepEqual(await codeOf(startGateway({ config: wrong })), ['ERR_FLUXGATE_CONFIGURATION', problems])
  await assert.rejects(startGateway({ config: wrong }), {
    message: `the configuration is not valid:\n  ${problems.join('\n  ')}`,
  })
  const cycle: { version: 1; self?: unknown } = { version: 1 }
  cycle.self = cycle
  assert.match((await codeOf(startGateway({ config: cycle })))[1].join(), /^config: cannot be written as JSON/)
  const call = { version: 1, server: { workers: () => 2 } } as unknown as GatewayConfiguration
  assert.deepEqual((await codeOf(startGateway({ config: call })))[1], [
    'config: cannot be written as JSON: holds a function',
  ])
  const nothing = undefined as unknown as GatewayConfiguration
  assert.deepEqual((await codeOf(startGateway({ config: nothing })))[1], [
    'config: must be an object, or { path: FILE }',
  ])
  const [code] = await codeOf(startGateway({ config: upTo(origin), bindAddress: 'here' }))
  assert.equal(code, 'ERR_FLUXGATE_CONFIGURATION')

  await using gateway = await startGateway({ config: upTo(origin), env: ENV })
  assert.deepEqual(await codeOf(gateway.reload(wrong)), ['ERR_FLUXGATE_CONFIGURATION', problems])
  assert.equal(await ask(gateway), 200)
})

test('an address that is taken is an error, at the start and later', async () => {
  await using origin = await startOrigin(OK)
  await using gateway = await startGateway({ config: upTo(origin), env: ENV })
  const taken = `127.0.0.1:${origin.port}`
  for (const workers of [1, 2]) {
    const config = upTo(origin, { bind_address: taken, workers })
    assert.equal((await codeOf(startGateway({ config, env: ENV })))[0], 'ERR_FLUXGATE_BIND')
  }
  assert.equal((await codeOf(gateway.reload(upTo(origin, { bind_address: taken }))))[0], 'ERR_FLUXGATE_BIND')
  assert.equal(await ask(gateway), 200)
})

test('a stop waits for what runs, and no longer than it is told to', async () => {
  await using origin = await startOrigin(() => {})
  for (const workers of [1, 2]) {
    const gateway = await startGateway({ config: upTo(origin, { workers }), env: ENV })
    using client = await connect(Number(gateway.address.split(':')[1]))
    void client.write(get('/up/x'))
    await origin.request(workers - 1)
    const stopping = gateway.stop()
    assert.deepEqual(await gateway.stop({ timeoutMs: 0 }), { cut: 1 })
    assert.deepEqual(await stopping, { cut: 1 })
    await client.ended()
  }
})

test('a file is read when it is asked for, and paths are relative to it', async () => {
  await using origin = await startOrigin(OK)
  const folder = mkdtempSync(path.join(tmpdir(), 'fluxgate-library-'))
  try {
    const file = path.join(folder, 'fluxgate.yaml')
    writeFileSync(path.join(folder, 'key'), 'from-a-file')
    const upstream = { request_path: '/up', target_url: `http://127.0.0.1:${origin.port}`, api_key: { file: 'key' } }
    const write = (request_path: string): void =>
      writeFileSync(file, JSON.stringify({ ...upTo(origin), upstreams: { up: { ...upstream, request_path } } }))
    write('/up')
    await using gateway = await startGateway({ config: { path: file } })
    assert.equal(await ask(gateway), 200)
    assert.deepEqual((await origin.request(0)).values('authorization'), ['Bearer from-a-file'])
    write('/down')
    await gateway.reload()
    assert.equal(await ask(gateway, '/down/x'), 200)
    writeFileSync(file, 'version: 1\nupstreams: 7\n')
    const [code, problems] = await codeOf(gateway.reload())
    assert.equal(code, 'ERR_FLUXGATE_CONFIGURATION')
    assert.match(problems.join(), new RegExp(`^${file}:2:1: upstreams: `))
    assert.equal((await codeOf(startGateway({ config: { path: `${file}.not` } })))[0], 'ERR_FLUXGATE_CONFIGURATION')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a stream that takes nothing, or has gone, holds up nothing', async () => {
  await using origin = await startOrigin(OK)
  let release: (() => void) | undefined
  const written: string[] = []
  const slow = new Writable({
    highWaterMark: 1,
    write(chunk, _, done) {
      written.push(String(chunk))
      if (release === undefined) release = done
      else done()
    },
  })
  await using gateway = await startGateway({ config: upTo(origin), env: ENV, log: slow })
  for (let n = 0; n < 3; n++) assert.equal(await ask(gateway), 200)
  // Else it would gather in the stream, where nothing bounds it.
  assert.ok(slow.writableLength <= written[0]!.length, `${slow.writableLength} characters wait in the stream`)
  release!()
  await gateway.stop()
  const lines = written.join('').trimEnd().split('\n')
  assert.equal(lines.filter((line) => line.includes('Request processed')).length, 3)
  for (const line of lines) JSON.parse(line)

  const gone = new Writable({ write: (_chunk, _encoding, done) => done() })
  gone.destroy()
  await using other = await startGateway({ config: upTo(origin), env: ENV, log: gone })
  assert.equal(await ask(other), 200)
})

test('the process is its own: no signal, no output, and an end as soon as nothing is left', { timeout: 60_000 }, () => {
  const program = `
    import { startGateway } from '${ROOT}/src/library.ts'
    const before = process.eventNames().length
    const config = { version: 1, server: { bind_address: '127.0.0.1:0', allow_anonymous: true } }
    for (const workers of [1, 2]) {
      const all = await Promise.all([1, 2].map(() => startGateway({ config: { ...config, server: { ...config.server, workers } } })))
      for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2', 'uncaughtException', 'exit']) {
        if (process.listenerCount(name) > 0) console.log('listens to', name)
      }
      await Promise.all(all.map((gateway) => fetch(gateway.url).then((response) => response.text())))
      for (const gateway of all) await gateway.stop()
    }
    process.exitCode = 3
  `
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    ['--no-warnings', '--input-type=module', '--eval', program],
    { encoding: 'utf8', timeout: 50_000 },
  )
  assert.deepEqual([status, signal, stdout, stderr], [3, null, '', ''])
})

test("what a function for lines throws is the program's, and the gateway goes on", { timeout: 60_000 }, () => {
  const program = `
    import { startGateway } from '${ROOT}/src/library.ts'
    const config = { version: 1, server: { bind_address: '127.0.0.1:0', allow_anonymous: true } }
    let caught = 0
    process.on('uncaughtException', (error) => { if (error.message === 'mine') caught++; else throw error })
    const gateway = await startGateway({ config, env: {}, log: () => { throw new Error('mine') } })
    const { status } = await fetch(gateway.url)
    await gateway.stop()
    setImmediate(() => console.log(status, caught > 0))
  `
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
    timeout: 50_000,
  })
  assert.deepEqual([stdout, stderr], ['503 true\n', ''])
})

test('where look-ups have few threads already, the log says so', {
  skip: !existsSync('/proc/self/task') && 'no /proc',
}, () => {
  const program = (before: string): string => `
    import { startGateway } from '${ROOT}/src/library.ts'
    import { readFile } from 'node:fs/promises'
    ${before}
    const config = { version: 1, server: { bind_address: '127.0.0.1:0', allow_anonymous: true } }
    const lines = []
    await using gateway = await startGateway({ config, env: {}, log: (line) => lines.push(line) })
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    console.log(lines.find((line) => line.includes('threads'))?.replace(/^.*? WARN /, ''))
  `
  const [late, early] = ["await readFile('/etc/hosts')", ''].map(
    (before) =>
      spawnSync(process.execPath, ['--input-type=module', '--eval', program(before)], {
        encoding: 'utf8',
        env: { PATH: process.env.PATH },
        timeout: 50_000,
      }).stdout,
  )
  assert.equal(late, 'Few threads for name look-ups threads=4 cure="start the program with UV_THREADPOOL_SIZE=32"\n')
  assert.equal(early, 'undefined\n')
})

test('no thread is started that nobody has asked for', { timeout: 60_000 }, () => {
  const file = path.join(mkdtempSync(path.join(tmpdir(), 'fluxgate-library-')), 'fluxgate.yaml')
  writeFileSync(file, 'version: 1\nserver: { bind_address: "127.0.0.1:0", allow_anonymous: true }\n')
  const program = `
    import threads from 'node:worker_threads'
    let started = 0
    threads.Worker = class extends threads.Worker { constructor(...all) { super(...all); started++ } }
    const { startGateway } = await import('${ROOT}/src/library.ts')
    const server = { bind_address: '127.0.0.1:0', allow_anonymous: true }
    const seen = []
    for (const config of [{ path: '${file}' }, { version: 1, server }, { version: 1, server: { ...server, workers: 3 } }]) {
      const gateway = await startGateway({ config })
      await gateway.stop()
      seen.push(started)
    }
    console.log(seen.join())
  `
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
    timeout: 50_000,
  })
  rmSync(path.dirname(file), { recursive: true })
  assert.deepEqual([stdout, stderr], ['0,0,3\n', ''])
})
