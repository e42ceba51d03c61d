import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CLIENT_KEY, PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import { connectRaw, type RawEnd, SWITCH, startRawOrigin, upgrade } from '../support/raw-end.ts'

const KEY = `Authorization: Bearer ${CLIENT_KEY}`
const agree = (end: RawEnd): void => {
  void end.write(SWITCH)
}
const to = (url: string, more = {}) => ({
  upstreams: { up: { request_path: '/up', target_url: url, api_key: PROVIDER_KEY, websocket: true, ...more } },
})

test("the offer goes on with the provider's key, the 101 comes back as it is, then bytes go both ways", async () => {
  await using origin = await startRawOrigin(agree)
  await using gateway = await startGateway(to(origin.url))
  using client = await connectRaw(gateway.port)
  void client.write(upgrade('/up/realtime?model=m', KEY, 'Sec-WebSocket-Protocol: realtime'))
  await client.untilReceived(SWITCH)
  const end = await origin.end()
  assert.equal(
    origin.heads[0],
    upgrade('/realtime?model=m', `Authorization: Bearer ${PROVIDER_KEY}`, 'Sec-WebSocket-Protocol: realtime').replace(
      'gateway.test',
      origin.url.slice('http://'.length),
    ),
  )
  for (let i = 0; i < 3; i++) {
    void client.write(`\x81\x05hel${i}o`)
    await end.untilReceived(`\x81\x05hel${i}o`)
    void end.write(`\x82\x7f\0\xff${i}`)
    await client.untilReceived(`\x82\x7f\0\xff${i}`)
  }
  assert.deepEqual(gateway.records(), [])
  client.fin()
  await end.ended('fin')
  void end.write('last')
  await client.untilReceived('last')
  end.fin()
  await client.ended('fin')
  const record = await gateway.waitForRecord()
  assert.deepEqual(
    [record.status, record.outcome, record.error, record.request_bytes, record.response_bytes, record.request_id],
    [101, 'complete', undefined, 21, 19, 'req_1'],
  )
  assert.equal(gateway.records().length, 1)
})
