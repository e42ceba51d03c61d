import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CLIENT_KEY, PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import { temporaryFolder } from '../support/ledger-rows.ts'
import { connectRaw, SWITCH, startRawOrigin, upgrade } from '../support/raw-end.ts'
import { frame } from '../support/websocket-frames.ts'

/** A request of more than 272 000 tokens costs twice as much a token. */
const PRICES = `version: 1
prices:
  - { model: gpt-x, input: 2.5, output: 10, tiers: [{ above: 272000, input: 5, output: 20 }] }
`

function turn(inputTokens: number): Buffer {
  const usage = { input_tokens: inputTokens, output_tokens: 1_000 }
  const messages = [
    { type: 'response.created', response: { model: 'gpt-x' } },
    { type: 'response.completed', response: { model: 'gpt-x', usage } },
  ]
  return Buffer.concat(messages.map((message) => frame(0x81, Buffer.from(JSON.stringify(message)))))
}

test('turns of a tunnel have the price that each has by itself, not that of their sum', async () => {
  using folder = temporaryFolder()
  const prices = join(folder.path, 'prices.yaml')
  writeFileSync(prices, PRICES)
  await using origin = await startRawOrigin((end) => void end.write(SWITCH))
  await using gateway = await startGateway({
    usage: { prices },
    upstreams: { up: { request_path: '/up', target_url: origin.url, api_key: PROVIDER_KEY, websocket: true } },
  })
  using client = await connectRaw(gateway.port)
  void client.write(upgrade('/up/v1/responses', `Authorization: Bearer ${CLIENT_KEY}`))
  await client.until(() => client.received.endsWith('\r\n\r\n'), 'the 101')
  const end = await origin.end()
  const before = client.receivedBytes
  const turns = Buffer.concat([turn(200_000), turn(200_000), turn(300_000)])
  void end.write(turns)
  await client.until(() => client.receivedBytes >= before + turns.length, 'the turns')
  client.fin()
  await end.ended('fin')
  end.fin()
  await client.ended('fin')
  const record = await gateway.waitForRecord()
  assert.deepEqual([record.usage, record.input_tokens, record.output_tokens], ['exact', 700_000, 3_000])
  assert.equal(record.cost_usd, 0.51 + 0.51 + 1.52)
})
