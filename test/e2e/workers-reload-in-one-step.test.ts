import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { get, ok, upTo } from '../support/bytes.ts'
import { CLIENT_KEY, type ConfigObject, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'
import { place, startWorkers, telling } from '../support/workers.ts'

const RELOADED = 'Configuration file changed, reloaded automatically'
const WORKERS = 3
const LANES = 12

test('after the log has said that a change is live, no worker begins an exchange with what was before', async () => {
  await using origin = await startOrigin(({ connection, message }) => {
    void connection.write(ok(message.value('authorization') ?? 'none'))
  })
  const config = (n: number): ConfigObject => ({
    server: { workers: WORKERS },
    ...upTo(origin, { api_key: `sk-provider-key-number-${n}` }),
  })
  await using gateway = await startGateway(config(0))
  let reloads = 0
  let isOver = false
  let asked = 0
  const lane = async (): Promise<void> => {
    using client = await connect(gateway.port)
    for (let n = 0; !isOver; n++) {
      const least = reloads
      void client.write(get('/up/x'))
      const { text } = await client.response(n)
      const shown = Number(/number-(\d+)$/.exec(text)?.[1])
      assert.ok(shown >= least, `key ${shown} after reload ${least}`)
      asked++
    }
  }
  const lanes = Array.from({ length: LANES }, lane)
  for (let n = 1; n <= 8; n++) {
    gateway.rewrite(config(n))
    await gateway.waitForLog(RELOADED, n)
    reloads = n
  }
  const before = asked
  await origin.until(() => asked > before + 100, 'requests after the last reload')
  isOver = true
  await Promise.all(lanes)
})

test('a worker that was busy when it came does not begin with what was before either', async () => {
  await using origin = await startOrigin()
  const config = (keys: readonly string[]): ConfigObject => ({
    server: { workers: 2 },
    ...upTo(origin),
    api_keys: { static: keys.map((key, i) => ({ id: `k${i}`, key })) },
  })
  await using gateway = await startWorkers(config([CLIENT_KEY]))
  const clients = (await place(gateway, 2, 1)).map(({ client }) => client)
  const [busy, other] = clients
  // The second time, a worker knows the head by its bytes.
  for (const n of [1, 2, 3]) {
    for (const client of clients) {
      void client.write(get('/up/x'))
      assert.equal((await client.response(n)).status, 200)
    }
  }
  // Its loop does not turn until it is told to, and the request stands in its socket by then.
  void busy!.write(telling('worker-sticks'))
  await busy!.response(4)
  gateway.rewrite(config(['fgk_another_key_0123456789abcdef01']))
  await gateway.waitForLog(RELOADED)
  void busy!.write(get('/up/x'))
  void other!.write(get('/up/x'))
  assert.equal((await other!.response(4)).status, 401)
  writeFileSync(join(gateway.directory, 'released'), '')
  assert.equal((await busy!.response(5)).status, 401)
  for (const client of clients) client[Symbol.dispose]()
})
