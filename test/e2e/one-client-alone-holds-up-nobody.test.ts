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
const wide = `GET / HTTP/1.1\r\nHost:a\r\nConnection: ${'a,'.repeat(15_000)}\r\nUpgrade: ${'b,'.repeat(15_000)}\r\n\r\n`

for (const [what, request, times, most] of [
  ['tiny requests', TINY, 2_000, 200],
  ['requests of 60 KB', wide, 30, 4],
] as const) {
  test(`with ${what} that are refused`, async () => {
    await using gateway = await startGateway({})
    using other = await connect(gateway.port)
    void other.write(get('/first'))
    await other.response()
    using greedy = await connect(gateway.port)
    gateway.signal('SIGSTOP')
    // More than the gateway takes in one turn, and no more than the kernel holds.
    void greedy.write(request.repeat(times))
    await other.write(get('/second'))
    gateway.signal('SIGCONT')
    await other.response(1)
    await greedy.response(times - 1)
    await gateway.until(() => gateway.records().length === times + 2, 'all records')
    const urls = gateway.records().map(({ request_url }) => request_url)
    const before = urls.indexOf('/second') - 1
    assert.ok(before <= most, `${before} refusals came first`)
    assert.ok(urls.length - before > 3)
  })
}
