// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of the shell are what is tested
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { get, upTo } from '../support/bytes.ts'
import { COMMAND, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

const REFUSED = 'Configuration file changed but validation failed; keeping previous settings'

test('a gateway key that nothing has filled in is an error: what runs goes on, and nobody gets in with it', async () => {
  await using origin = await startOrigin()
  const config = upTo(origin)
  await using gateway = await startGateway(config)
  gateway.rewrite({ ...config, api_keys: { static: [{ id: 'x', key: '${GATEWAY_KEY}' }] } })
  await gateway.waitForLog(REFUSED)
  assert.match(
    gateway.log(),
    /api_keys\.static\[0\]\.key: is a placeholder that nothing fills in; write \{ env: GATEWAY_KEY \}/,
  )
  assert.ok(!gateway.log().includes('${GATEWAY_KEY}'))
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
  const knock = 'GET /up/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${GATEWAY_KEY}\r\n\r\n'
  assert.equal((await exchange(gateway.port, knock)).status, 401)
})

test("a provider's key that nothing has filled in is a warning, at which check fails", async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin, { api_key: 'os.environ/PROVIDER_KEY' }))
  assert.match(
    gateway.log(),
    /"WARN","message":"Configuration warning","problem":".*upstreams\.up\.api_key: is a placeholder/,
  )
  assert.ok(!gateway.log().includes('os.environ'))
  const { status, stdout } = spawnSync(COMMAND, ['check', '--config', gateway.configPath], { encoding: 'utf8' })
  assert.equal(status, 1)
  assert.match(stdout, /upstreams\.up\.api_key: .*write \{ env: PROVIDER_KEY \} in its place\n.*: 1 warning\n$/)
})
