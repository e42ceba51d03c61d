import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, ok, upTo } from '../support/bytes.ts'
import { footprint, REPORTING } from '../support/footprint.ts'
import { CLIENT_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, type RawClient } from '../support/raw-client.ts'
import { NameServer, whyNoNameServer } from './name-server.ts'

/*
 * Live memory, all garbage collected, of exchanges whose clients do not read, and of those that are over while something that
 * they wanted is still going on.
 */

const KIB = 1_024

/** Clients that ask and never read. */
async function silentClients(
  gateway: RunningGateway,
  count: number,
  target: string,
  times: number,
): Promise<RawClient[]> {
  const clients: RawClient[] = []
  for (let i = 0; i < count; i++) {
    const client = await connect(gateway.port, { paused: true })
    clients.push(client)
    await client.write(get(target).repeat(times))
  }
  return clients
}

/** Resolves when a number has stood still for so long that the gateway must have stopped reading: nothing else announces that. */
async function untilStill(read: () => number): Promise<void> {
  for (let seen = -1; seen !== read(); ) {
    seen = read()
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
}

test('interim responses hold back like any other bytes', async () => {
  const interim = Buffer.from(`HTTP/1.1 103 Early Hints\r\nX: ${'y'.repeat(65_000)}\r\n\r\n`)
  let written = 0
  let answered = 0
  await using origin = await startOrigin(async ({ connection }) => {
    for (let i = 0; i < 31; i++) if (await connection.write(interim)) written++
    if (await connection.write(ok('ok'))) answered++
  })
  await using gateway = await startGateway(upTo(origin), { env: REPORTING })
  const before = await footprint(gateway)
  // Eight requests each: their interim responses are more than the kernel has room for.
  const clients = await silentClients(gateway, 20, '/up/x', 8)
  await origin.request(19)
  await untilStill(() => written)
  const { live } = await footprint(gateway)
  for (const client of clients) client[Symbol.dispose]()
  assert.ok(answered < 160, 'the kernel has room for all of it')
  const each = (live - before.live) / clients.length
  assert.ok(each < 300 * KIB, `${Math.round(each / KIB)} KiB each`)
})

test('a name that nobody answers holds no request that is over', { skip: whyNoNameServer() }, async () => {
  await using names = await new NameServer({ 'silent.test': 'silence' }).listen()
  const upstreams = {
    up: {
      request_path: '/up',
      target_url: 'http://silent.test',
      api_key: 'unused-provider-key',
      connect_timeout_ms: 200,
    },
  }
  await using gateway = await startGateway({ upstreams }, { env: REPORTING, under: names.under })
  const head = `POST /up/x HTTP/1.1\r\nHost: a\r\nx-api-key: ${CLIENT_KEY}\r\nContent-Length: 1000000\r\n\r\n`
  const burst = async (times: number, leaves: boolean): Promise<void> => {
    for (let i = 0; i < times; i++) {
      using client = await connect(gateway.port)
      await client.write(head + 'b'.repeat(50_000))
      if (leaves) continue
      assert.equal((await client.response()).status, 504)
    }
  }
  await burst(20, true)
  await burst(1, false)
  const before = await footprint(gateway)
  await burst(200, true)
  await burst(5, false)
  const { live } = await footprint(gateway)
  const grown = live - before.live
  assert.ok(grown < 2 * KIB * KIB, `${Math.round(grown / KIB)} KiB for 205 requests of 50 KB`)
})
