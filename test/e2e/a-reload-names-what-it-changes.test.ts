import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { upTo } from '../support/bytes.ts'
import { CLIENT_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'

const RELOADED = 'Configuration file changed, reloaded automatically'
const KEYS = { static: [{ id: 'test', key: CLIENT_KEY }] }

/** The members of the last reload's line, without what all of them have. */
function lastReload(gateway: RunningGateway): Record<string, unknown> {
  const line = gateway
    .log()
    .split('\n')
    .findLast((candidate) => candidate.includes(RELOADED))
  const { time, message, path: _, status, result, ...rest } = JSON.parse(line!) as Record<string, unknown>
  return rest
}

test('a reload names the keys, upstreams and files that are different, and no value', async () => {
  await using origin = await startOrigin()
  const config = upTo(origin, { api_key: { file: 'provider-key' } })
  await using gateway = await startGateway(config, {
    under: ['sh', '-c', 'printf provider-one > provider-key && exec "$@"', 'sh'],
  })
  const secret = path.join(gateway.directory, 'provider-key')
  writeFileSync(secret, 'provider-two')
  await gateway.waitForLog(RELOADED)
  assert.deepEqual(lastReload(gateway), { level: 'INFO', upstreams_changed: 'up', files_changed: secret })

  const second = { id: 'second', key: 'fgk_second_0123456789' }
  gateway.rewrite({ ...config, api_keys: { static: [...KEYS.static, second] } })
  await gateway.waitForLog(RELOADED, 2)
  assert.deepEqual(lastReload(gateway), { level: 'INFO', keys_added: 'second' })

  gateway.rewrite({ ...config, api_keys: {} })
  await gateway.waitForLog(RELOADED, 3)
  const problem = 'no key is left: every request is answered with 401'
  assert.deepEqual(lastReload(gateway), { level: 'WARN', problem, keys_removed: 'test, second' })

  gateway.signal('SIGHUP')
  await gateway.waitForLog(RELOADED, 4)
  assert.deepEqual(lastReload(gateway), { level: 'INFO' }, 'told once')
  assert.doesNotMatch(gateway.log(), /provider-one|provider-two|fgk_/)
})

test('a mistake that is taken back, or a file that is there again, is told to be over', async () => {
  await using origin = await startOrigin()
  const config = upTo(origin)
  await using gateway = await startGateway(config)
  const OVER = 'Configuration file is valid again; settings unchanged'
  const whole = readFileSync(gateway.configPath)
  writeFileSync(gateway.configPath, 'version: 0')
  await gateway.waitForLog('validation failed; keeping previous settings')
  writeFileSync(gateway.configPath, whole)
  await gateway.waitForLog(OVER)
  rmSync(gateway.configPath)
  await gateway.waitForLog('Configuration file not found during polling')
  writeFileSync(gateway.configPath, whole)
  await gateway.waitForLog(OVER, 2)
  assert.doesNotMatch(gateway.log(), /reloaded automatically/)
})
