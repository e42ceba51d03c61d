import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { describe, test } from 'node:test'
import { type RunningGateway, startGateway } from '../../support/gateway.ts'

/** What was logged so far, without timestamps and with PATH for the configuration's path. */
function lines(gateway: RunningGateway): string[] {
  const all = gateway.log().replaceAll(gateway.configPath, 'PATH').split('\n')
  return all.slice(0, -1).map((line) => line.slice(28))
}

const CONFIG = { upstreams: { a: { request_path: '/a', target_url: 'http://127.0.0.1:9', api_key: 'provider' } } }
const STARTING = 'INFO Starting fluxgate proxy with configuration path path=PATH'
const READY = ['INFO Loaded configuration path=PATH status=applied', 'INFO Fluxgate proxy initialized path=PATH']
const RELOADED = 'INFO Configuration file changed, reloaded automatically path=PATH status=applied'

function withAddress(address: string): { [key: string]: unknown } {
  return { ...CONFIG, server: { bind_address: address } }
}

describe('a start', () => {
  test('says what it does, in order, and so does the stop', async () => {
    await using gateway = await startGateway(CONFIG, { format: 'text' })
    gateway.signal('SIGTERM')
    assert.deepEqual(await gateway.exited, { code: 0, signal: null })
    assert.deepEqual(lines(gateway), [
      STARTING,
      ...READY,
      'INFO Starting proxy server on 127.0.0.1:0',
      `INFO Fluxgate proxy server listening on 127.0.0.1:${gateway.port}`,
      'INFO Shutdown signal received (SIGTERM); shutting down proxy',
      'INFO Proxy server shutdown complete',
    ])
  })

  test('warns of what is probably a mistake before it goes on', async () => {
    await using gateway = await startGateway({ ...CONFIG, upstream: {} }, { format: 'text' })
    const [starting, warning, ...rest] = lines(gateway)
    assert.equal(starting, STARTING)
    assert.match(
      warning!,
      /^WARN Configuration warning problem="PATH:\d+:\d+: upstream: unknown, did you mean upstreams\?"$/,
    )
    assert.deepEqual(rest.slice(0, 2), READY)
  })

  for (const [what, config, cause] of [
    ['no YAML', 'version: [', 'parse'],
    ['wrong', 'version: 2', 'validation'],
  ] as const) {
    test(`with a file that is ${what} goes on with defaults`, async () => {
      // The default address may be taken by somebody else, so this is about the lines up to the bind.
      await using gateway = await startGateway(config, { format: 'text', wait: 'Starting proxy server on' })
      const [starting, warning, binding] = lines(gateway)
      assert.equal(starting, STARTING)
      const start = 'WARN Using default configuration due to load failure path=PATH error="'
      assert.equal(warning!.slice(0, start.length), start)
      assert.ok(warning!.endsWith(`" status=default cause=${cause}`), warning!)
      assert.equal(binding, 'INFO Starting proxy server on 0.0.0.0:8080')
      assert.doesNotMatch(gateway.log(), /initialized|Loaded configuration/)
    })
  }

  test('with an address that is none ends with 1', async () => {
    await using gateway = await startGateway(withAddress('localhost:8080'), { format: 'text', wait: false })
    assert.deepEqual(await gateway.exited, { code: 1, signal: null })
    const [starting, failed, ...rest] = lines(gateway)
    assert.equal(starting, STARTING)
    assert.match(failed!, /^WARN Failed to bind to address address=localhost:8080 error=".*server\.bind_address: /)
    assert.deepEqual(rest, [])
  })

  test('on an address that is taken ends with 1', async () => {
    const other = net.createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = `127.0.0.1:${(other.address() as net.AddressInfo).port}`
    await using gateway = await startGateway(withAddress(address), { format: 'text', wait: false })
    assert.deepEqual(await gateway.exited, { code: 1, signal: null })
    const seen = lines(gateway)
    assert.deepEqual(seen.slice(0, -1), [STARTING, ...READY, `INFO Starting proxy server on ${address}`])
    assert.ok(seen.at(-1)!.startsWith(`WARN Failed to bind to address address=${address} error=`), seen.at(-1)!)
    other.close()
  })

  test('warns once of a log setting that is none', async () => {
    await using gateway = await startGateway(CONFIG, { format: 'text', env: { FLUXGATE_LOG: 'loud' } })
    const warning =
      'WARN Unknown log setting; using the default name=FLUXGATE_LOG value=loud expected=trace|debug|info|warn|error'
    assert.deepEqual(lines(gateway).slice(0, 2), [warning, STARTING])
    assert.equal(gateway.log().split('Unknown log setting').length, 2)
  })
})

describe('a running gateway', () => {
  test('takes a change, refuses nonsense, and moves to another address', async () => {
    await using gateway = await startGateway(CONFIG, { format: 'text' })
    const oldAddress = `127.0.0.1:${gateway.port}`
    const started = lines(gateway).length
    gateway.rewrite({ ...CONFIG, server: { bind_address: '127.0.0.1:0', max_connections: 7 } })
    await gateway.waitForLog('reloaded automatically')
    gateway.rewrite('nonsense: [')
    await gateway.waitForLog('keeping previous settings')
    gateway.rewrite(withAddress('[::1]:0'))
    await gateway.waitForLog('listening on', 2)
    const [changed, refused, ...moved] = lines(gateway).slice(started)
    assert.equal(changed, RELOADED)
    const refusal = 'WARN Configuration file changed but validation failed; keeping previous settings path=PATH error='
    assert.ok(refused!.startsWith(refusal), refused!)
    const newAddress = `[::1]:${gateway.port}`
    assert.deepEqual(moved, [
      RELOADED,
      `INFO Bind address changed, restarting server old_address=${oldAddress} new_address=${newAddress}`,
      `INFO Fluxgate proxy server listening on ${newAddress}`,
    ])
  })

  test('reloads on SIGHUP', async () => {
    await using gateway = await startGateway(CONFIG, { format: 'text' })
    gateway.signal('SIGHUP')
    await gateway.waitForLog('reloaded automatically')
  })

  test('writes the record of a request without its credentials', async () => {
    await using gateway = await startGateway(CONFIG, { format: 'text' })
    const response = await fetch(`${gateway.url}/a/x?key=secret&y=1`)
    assert.equal(response.status, 401)
    await gateway.waitForLog('Request processed')
    const record = lines(gateway).at(-1)!
    assert.match(
      record,
      /^TRACE Request processed client_ip=127\.0\.0\.1 method=GET request_url=\/a\/x\?key=\*\*\*&y=1 /,
    )
    assert.match(record, / status=401 .* outcome=refused error=unauthorized cause=no_key$/)
  })
})
