import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../fuzz/random.ts'
import { get, post } from '../support/bytes.ts'
import { type ConfigObject, PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import { OK, type Origin, startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'

/** Upstreams that all lead to this origin, each with settings of its own: `/<name>`. */
function all(
  origin: Origin,
  upstreams: Readonly<Record<string, ConfigObject>>,
  shared: ConfigObject = {},
): ConfigObject {
  const entries = Object.entries(upstreams).map(([name, more]) => [
    name,
    { request_path: `/${name}`, target_url: origin.url, api_key: PROVIDER_KEY, ...more },
  ])
  return { upstreams: { ...shared, ...Object.fromEntries(entries) } }
}

/** Longer than anything here that is to end. */
const LONG_MS = 600_000

test('and then it is closed', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(all(origin, { up: {} }, { keep_alive_timeout_ms: 200 }))
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
  assert.equal(await (await origin.connection()).ended(), 'fin')
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
  assert.equal(origin.connections.length, 2)
})

test('of 0: none is kept', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(all(origin, { up: { keep_alive_timeout_ms: 0 } }))
  for (let i = 0; i < 3; i++) {
    assert.equal((await exchange(gateway.port, post('/up/x', 'content'))).status, 200)
    await (await origin.connection(i)).ended()
  }
})

test('each exchange follows its own upstream, where several share their connections', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(
    all(origin, { never: { keep_alive_timeout_ms: 0 }, long: {} }, { keep_alive_timeout_ms: LONG_MS }),
  )
  for (const name of ['long', 'long', 'never', 'long', 'never', 'long']) {
    assert.equal((await exchange(gateway.port, get(`/${name}/x`))).status, 200)
  }
  const shares = origin.connections.map((connection) => connection.requests.map(({ target }) => target).length)
  assert.deepEqual(shares, [4, 1, 1])
  for (const i of [1, 2]) await origin.connections[i]!.ended()
  assert.equal(origin.connections[0]!.ending, undefined)
})

test('a connection is not used beyond its age, however busy it is', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(
    all(origin, { young: { max_connection_age_ms: 300 }, old: {} }, { keep_alive_timeout_ms: LONG_MS }),
  )
  let count = 0
  while (origin.connections.length < 3) {
    assert.equal((await exchange(gateway.port, post('/young/x', 'content'))).status, 200)
    count++
  }
  assert.ok(count > 3)
  for (const i of [0, 1]) assert.equal(await origin.connections[i]!.ended(), 'fin')
  assert.ok(gateway.records().every((record) => record.outcome === 'complete'))
})

test('an exchange that runs goes on beyond the age of its connection', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(all(origin, { up: { max_connection_age_ms: 300 } }))
  origin.answer = async ({ connection }) => {
    await origin.request(1)
    await connection.write(OK)
  }
  await Promise.all([1, 2].map(() => exchange(gateway.port, get('/up/x'))))
  origin.answer = async ({ connection }) => {
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf')
    // One that is as old comes to its end meanwhile.
    await Promise.race(origin.connections.map((each) => each.ended()))
    await connection.write('time')
  }
  assert.equal((await exchange(gateway.port, get('/up/x'))).text, 'halftime')
})

test('a reload changes it for connections that are idle already', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(all(origin, { up: { keep_alive_timeout_ms: LONG_MS } }))
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
  gateway.rewrite(all(origin, { up: { keep_alive_timeout_ms: LONG_MS, max_connection_age_ms: LONG_MS } }))
  await gateway.waitForLog('reloaded automatically')
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
  assert.equal(origin.connections.length, 1, 'a reload that asks for no less costs no connection')
  gateway.rewrite(all(origin, { up: { keep_alive_timeout_ms: 50 } }))
  await gateway.waitForLog('reloaded automatically', 2)
  assert.equal(await (await origin.connection()).ended(), 'fin')
})

test('shorter than the upstream has, no request is lost to connections that it is just closing', async () => {
  const IDLE_MS = 250
  await using origin = await startOrigin(async ({ connection }) => {
    const count = connection.requests.length
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    setTimeout(() => {
      if (connection.requests.length === count) connection.socket.destroy()
    }, IDLE_MS)
  })
  await using gateway = await startGateway(all(origin, { up: { keep_alive_timeout_ms: IDLE_MS / 2 } }))
  // At the moment in which the upstream would close, give or take a few milliseconds.
  const lanes = Array.from({ length: 12 }, async (_, lane) => {
    for (let i = 0; i < 8; i++) {
      assert.equal((await exchange(gateway.port, post('/up/x', `${lane}`))).status, 200)
      await new Promise((resolve) => setTimeout(resolve, IDLE_MS - 6 + lane))
    }
  })
  await Promise.all(lanes)
  assert.equal(origin.requests.length, 96)
})

test('an upstream that closes idle connections whenever it likes loses no GET, and no POST is sent twice', async () => {
  const random = new Random(7)
  await using origin = await startOrigin(async ({ connection }) => {
    const count = connection.requests.length
    await connection.write(OK)
    setTimeout(() => {
      if (connection.requests.length === count) connection.socket.destroy()
    }, random.below(12))
  })
  await using gateway = await startGateway(all(origin, { up: {} }))
  const lost: string[] = []
  const lanes = Array.from({ length: 16 }, async (_, lane) => {
    using client = await connect(gateway.port)
    for (let i = 0; i < 60; i++) {
      const isPost = i % 2 === 1
      void client.write(isPost ? post(`/up/${lane}-${i}`, 'content') : get(`/up/${lane}-${i}`))
      const response = await client.response(i)
      if (!isPost) assert.equal(response.status, 200)
      if (response.status !== 200) lost.push(response.value('x-fluxgate-error') ?? `${response.status}`)
      await new Promise((resolve) => setTimeout(resolve, random.below(12)))
    }
  })
  await Promise.all(lanes)
  // Bytes of it had left, so who knows what has been done about them.
  for (const error of lost) assert.equal(error, 'fluxgate_reused_conn_lost')
  const posts = origin.requests.filter(({ method }) => method === 'POST').map(({ target }) => target)
  assert.equal(new Set(posts).size, posts.length)
})
