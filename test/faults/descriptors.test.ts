import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { get, post, upTo } from '../support/bytes.ts'
import { WITHIN_A_SECOND_MS } from '../support/deadline.ts'
import { openDescriptors, untilDescriptors } from '../support/footprint.ts'
import { type RunningGateway, startGateway } from '../support/gateway.ts'
import { OK, type Origin, startOrigin } from '../support/origin.ts'
import { connect, exchange, type RawClient } from '../support/raw-client.ts'
import { summary } from './aftermath.ts'

const skip = process.platform === 'linux' ? false : 'reads /proc'
const DESCRIPTORS = 64
const MORE_THAN_FIT = 100

/** User and system time that the process has used, in clock ticks of 10 ms. */
function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return Number(fields[11]) + Number(fields[12])
}

/** Both limits: Node raises the soft one to the hard one. */
const starved = (origin: Origin): Promise<RunningGateway> =>
  startGateway(upTo(origin), { under: ['sh', '-c', `ulimit -n ${DESCRIPTORS} && exec "$@"`, 'sh'] })

/** A client whose connection has been accepted, since it has had an answer, and that needs no upstream connection for it. */
async function acceptedClient(port: number): Promise<RawClient> {
  const client = await connect(port)
  void client.write(get('/nowhere'))
  await client.response()
  return client
}

/** Clients that hold all descriptors that were left, and a last one for which there was none. */
async function takeAllDescriptors(gateway: RunningGateway): Promise<RawClient[]> {
  const clients: RawClient[] = []
  for (let i = 0; i < MORE_THAN_FIT; i++) clients.push(await connect(gateway.port))
  await clients.at(-1)?.ended()
  return clients
}

test('no file descriptor is left: what runs goes on, the rest is told or hung up on, and all is well as soon as there are some again', {
  skip,
}, async () => {
  await using origin = await startOrigin(async ({ connection, target }) => {
    if (target !== '/stream') return void (await connection.write(OK))
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\nfirst')
  })
  await using gateway = await starved(origin)
  assert.match(gateway.log(), /"Fewer file descriptors than connections may need","limit":64,"needed":2112,/)
  const before = openDescriptors(gateway.pid)
  using streaming = await connect(gateway.port)
  void streaming.write(get('/up/stream'))
  await streaming.untilContent('first')
  using early = await acceptedClient(gateway.port)
  const clients = await takeAllDescriptors(gateway)

  void early.write(post('/up/x', 'content'))
  const refused = await early.response(1)
  assert.equal(refused.status, 503)
  assert.equal(refused.value('x-fluxgate-error'), 'fluxgate_emfile')
  assert.equal(refused.state, 'complete')
  await gateway.waitForLog('Out of file descriptors')

  const { connection } = await origin.request(0)
  await connection.write('secon')
  await streaming.untilContent('secon')
  await connection.write('third')
  assert.equal((await streaming.response()).text, 'firstseconthird')
  // Its upstream connection is idle now, and serves those who are in.
  void early.write(post('/up/x', 'content'))
  assert.equal((await early.response(2)).status, 200)

  for (const client of clients) client.reset()
  assert.equal((await exchange(gateway.port, post('/up/x', 'content'))).status, 200)
  await gateway.until(() => gateway.records().length === 5, 'five records')
  assert.deepEqual(gateway.records().map(summary).sort(), [
    '200 complete -',
    '200 complete -',
    '200 complete -',
    '404 refused no_route',
    '503 upstream_abort emfile',
  ])
  streaming.reset()
  early.reset()
  await untilDescriptors(gateway.pid, before + 1) // and the idle connection upstream
})

test('no file descriptor is left and clients keep coming: each is hung up on, and no CPU time is burnt', {
  skip,
}, async () => {
  await using origin = await startOrigin()
  await using gateway = await starved(origin)
  const clients = await takeAllDescriptors(gateway)
  const cpuBefore = cpuTicks(gateway.pid)
  const startedAt = performance.now()
  for (let i = 0; i < 20; i++) {
    using knocking = await connect(gateway.port)
    await knocking.ended()
    await sleep(50)
  }
  const elapsed = performance.now() - startedAt
  const used = (cpuTicks(gateway.pid) - cpuBefore) * 10
  assert.ok(used < elapsed / 2, `${used} ms of CPU time in ${elapsed} ms`)
  for (const client of clients) client.reset()
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
})

test('no file descriptor is left while the configuration is saved: the old one goes on, and the new one is live within a second of there being some again', {
  skip,
}, async () => {
  await using origin = await startOrigin()
  await using gateway = await starved(origin)
  using early = await acceptedClient(gateway.port)
  const clients = await takeAllDescriptors(gateway)
  const KEPT = 'keeping previous settings'
  gateway.rewrite(upTo(origin, { request_path: '/next' }))
  // Long enough for it to have settled.
  await new Promise((resolve) => setTimeout(resolve, 1000))
  void early.write(get('/up/x'))
  assert.equal((await early.response(1)).status, 503, 'the old route is there, and no connection to be had')
  for (const client of clients) client.reset()
  const freeAt = performance.now()
  await gateway.waitForLog('Configuration file changed, reloaded automatically')
  const elapsed = performance.now() - freeAt
  assert.ok(elapsed < WITHIN_A_SECOND_MS, `${elapsed} ms`)
  assert.equal((await exchange(gateway.port, get('/next/x'))).status, 200)
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 404)
  assert.ok(!gateway.log().includes(KEPT), 'nothing was wrong with the file')
})
