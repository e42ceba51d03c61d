import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, ok, upTo } from '../support/bytes.ts'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

const EXPECTED = 'server.workers: must be auto, or an integer from 1 to 256'
const WRONG: readonly unknown[] = [0, 'many', 257, -1, 1.5, '', []]

for (const workers of WRONG) {
  test(`a start with ${JSON.stringify(workers)} says what it must be`, async () => {
    await using gateway = await startGateway(
      { server: { workers }, upstreams: {} },
      { wait: false, args: ['--require-configuration'] },
    )
    const { code } = await gateway.exited
    assert.equal(code, 1)
    assert.ok(gateway.log().includes(`${EXPECTED}\n`), gateway.log())
  })
}

test('a file that is changed to something wrong changes nothing', async () => {
  await using origin = await startOrigin(ok('served'))
  await using gateway = await startGateway({ server: { workers: 1 }, ...upTo(origin) })
  for (const [index, workers] of [0, 'many', 257].entries()) {
    gateway.rewrite({ server: { workers }, ...upTo(origin) })
    await gateway.waitForLog('Configuration file changed but validation failed', index + 1)
    await gateway.waitForLog(EXPECTED, index + 1)
    assert.equal((await exchange(gateway.port, get('/up/x'))).text, 'served')
  }
  gateway.rewrite({ server: { workers: 'auto' }, ...upTo(origin) })
  await gateway.waitForLog('Configuration file changed, reloaded automatically')
  assert.equal((await exchange(gateway.port, get('/up/x'))).text, 'served')
})
