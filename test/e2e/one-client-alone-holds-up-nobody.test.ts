import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../support/bytes.ts'
import { startGateway } from '../support/gateway.ts'
import { connect } from '../support/raw-client.ts'

/*
 * What one client without a key can have done in one turn of the event loop is bounded, however much of it one read brings. The
 * log tells the order: both clients have sent all that they send before the gateway is let on.
 */

const TINY = 'GET / HTTP/1.1\r\nHost:a\r\n\r\n'
const TIMES = 2_000

test('with thousands of requests that are refused', async () => {
  await using gateway = await startGateway({})
  using other = await connect(gateway.port)
  void other.write(get('/first'))
  await other.response()
  using greedy = await connect(gateway.port)
  void greedy.write(TINY)
  await greedy.response()
  gateway.signal('SIGSTOP')
  void greedy.write(TINY.repeat(TIMES))
  await other.write(get('/second'))
  gateway.signal('SIGCONT')
  await other.response(1)
  await greedy.response(TIMES)
  await gateway.until(() => gateway.records().length === TIMES + 3, 'all records')
  const before = gateway.records().findIndex(({ request_url }) => request_url === '/second') - 2
  assert.ok(before <= 200, `${before} refusals came first`)
})
