import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { dollars, type Usage } from '../../src/llm/usage.ts'
import { CLIENT_KEY, type LoggedRecord, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { connect } from '../support/raw-client.ts'
import { connectRaw, SWITCH, startRawOrigin, upgrade } from '../support/raw-end.ts'
import { hasCoding } from '../support/usage-codings.ts'
import { requestFor, UsageOrigin, WAYS } from '../support/usage-origin.ts'
import { faultsOf, usageCases } from '../support/usage-vectors.ts'
import { framesOf } from '../support/websocket-frames.ts'

const exchanges = usageCases.filter(({ kind }) => kind !== 'ws')
const tunnels = usageCases.filter(({ kind }) => kind === 'ws')

function usageOf(record: LoggedRecord): Usage {
  return {
    model: record.model,
    requestModel: record.request_model,
    inputTokens: record.input_tokens,
    cachedTokens: record.cached_tokens,
    cacheWriteTokens: record.cache_write_tokens,
    outputTokens: record.output_tokens,
    reasoningTokens: record.reasoning_tokens,
    costUsd: record.cost_usd === undefined ? undefined : dollars(record.cost_usd),
    usage: record.usage as Usage['usage'],
    ttftMs: record.ttft_ms,
    ...{ units: undefined, tier: undefined, reason: undefined },
  }
}

async function recordOf(gateway: RunningGateway, mark: string): Promise<LoggedRecord> {
  const find = (): LoggedRecord | undefined => gateway.records().find(({ request_url }) => request_url.endsWith(mark))
  return gateway.until(find, `the record of ${mark}`)
}

describe('the record of an exchange says what it has used', () => {
  let origin: UsageOrigin
  let gateway: RunningGateway

  before(async () => {
    origin = await UsageOrigin.start()
    gateway = await startGateway(origin.config)
  })

  after(async () => {
    await gateway[Symbol.asyncDispose]()
    await origin[Symbol.asyncDispose]()
  })

  for (const one of exchanges) {
    test(one.id, async () => {
      const ways = WAYS.filter((way) => way !== 'gzip' || !hasCoding(one))
      for (const way of one.tags?.includes('big') ? ways.slice(0, 2) : ways) {
        using client = await connect(gateway.port)
        const { bytes, mark } = requestFor(one, way)
        void client.write(bytes)
        await client.response()
        const record = await recordOf(gateway, mark)
        assert.equal(record.response_bytes, Buffer.concat(origin.sent).length, way)
        assert.deepEqual(faultsOf(one, usageOf(record)), [], `${way}: ${JSON.stringify(record)}`)
      }
    })
  }
})

describe('the record of a tunnel says what it has used', () => {
  for (const one of tunnels) {
    test(one.id, async () => {
      await using origin = await startRawOrigin((end) => {
        const extension = one.deflate ? 'Sec-WebSocket-Extensions: permessage-deflate\r\n' : ''
        void end.write(SWITCH.replace('\r\n\r\n', `\r\n${extension}\r\n`))
      })
      await using gateway = await startGateway({
        upstreams: {
          [one.upstream!]: {
            request_path: `/${one.upstream}`,
            target_url: origin.url,
            api_key: PROVIDER_KEY,
            websocket: true,
          },
        },
      })
      using client = await connectRaw(gateway.port)
      void client.write(upgrade(`/${one.upstream}${one.target}`, `Authorization: Bearer ${CLIENT_KEY}`))
      await client.until(() => client.received.endsWith('\r\n\r\n'), 'the 101')
      const end = await origin.end()
      for (const { from, bytes } of await framesOf(one)) {
        const [sender, receiver] = from === 'client' ? [client, end] : [end, client]
        const sum = receiver.receivedBytes + bytes.length
        void sender.write(bytes)
        await receiver.until(() => receiver.receivedBytes >= sum, 'a frame')
      }
      client.fin()
      await end.ended('fin')
      end.fin()
      await client.ended('fin')
      const record = await gateway.waitForRecord()
      assert.deepEqual(faultsOf(one, usageOf(record)), [], JSON.stringify(record))
      assert.equal(gateway.records().length, 1)
    })
  }
})
