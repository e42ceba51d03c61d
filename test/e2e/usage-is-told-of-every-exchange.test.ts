import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { dollars, type Usage } from '../../src/llm/usage.ts'
import { CLIENT_KEY, type LoggedRecord, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, type OriginRequest, startOrigin } from '../support/origin.ts'
import { connect, latin1 } from '../support/raw-client.ts'
import { connectRaw, SWITCH, startRawOrigin, upgrade } from '../support/raw-end.ts'
import { CODINGS, hasCoding, piecesOf } from '../support/usage-codings.ts'
import { answerOf, bytesOf, faultsOf, type UsageCase, usageCases } from '../support/usage-vectors.ts'
import { framesOf } from '../support/websocket-frames.ts'

/** How an answer is framed; `gzip` is chunked. */
const WAYS = ['length', 'chunked', 'close', 'gzip'] as const
type Way = (typeof WAYS)[number]

const exchanges = usageCases.filter(({ kind }) => kind !== 'ws')
const tunnels = usageCases.filter(({ kind }) => kind === 'ws')

/** Octets of content that have gone out, of the last answer. */
let sent = 0

async function play(one: UsageCase, way: Way, { connection }: OriginRequest): Promise<void> {
  sent = 0
  const fields = (one.fields ?? []).map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const coding = way === 'gzip' ? 'Content-Encoding: gzip\r\n' : ''
  const framing = way === 'length' ? `Content-Length: ${answerOf(one).length}\r\n` : way === 'close' ? '' : CHUNKED
  const hasBody = one.status !== 204
  await connection.write(`HTTP/1.1 ${one.status} Said\r\n${fields}${coding}${hasBody ? framing : ''}\r\n`)
  if (hasBody) {
    for (const piece of await contentOf(one, way)) {
      if (piece.length === 0) continue
      sent += piece.length
      await connection.write(framing === CHUNKED ? chunk(piece) : piece)
      await new Promise(setImmediate)
    }
    if (framing === CHUNKED) await connection.write('0\r\n\r\n')
  }
  if (way === 'close') await connection.fin()
}

const CHUNKED = 'Transfer-Encoding: chunked\r\n'

async function contentOf(one: UsageCase, way: Way): Promise<readonly Buffer[]> {
  return way === 'gzip' ? CODINGS.gzip(piecesOf(one)) : piecesOf(one)
}

function chunk(piece: Buffer): Buffer {
  return Buffer.concat([latin1(`${piece.length.toString(16)}\r\n`), piece, latin1('\r\n')])
}

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
  let origin: Origin
  let gateway: RunningGateway

  before(async () => {
    origin = await startOrigin((request) => {
      const [, id, way] = /fgcase=([^&]*)&way=(\w+)/.exec(request.target)!
      return play(exchanges.find((one) => one.id === decodeURIComponent(id!))!, way as Way, request)
    })
    const names = new Set(usageCases.map(({ upstream }) => upstream))
    const upstreams = [...names].map((name) => [
      name,
      { request_path: `/${name}`, target_url: origin.url, api_key: PROVIDER_KEY },
    ])
    gateway = await startGateway({ upstreams: Object.fromEntries(upstreams) })
  })

  after(async () => {
    await gateway[Symbol.asyncDispose]()
    await origin[Symbol.asyncDispose]()
  })

  for (const one of exchanges) {
    test(one.id, async () => {
      const ways = WAYS.filter((way) => way !== 'gzip' || !hasCoding(one))
      for (const way of one.tags?.includes('big') ? ways.slice(0, 2) : ways) {
        const mark = `fgcase=${encodeURIComponent(one.id)}&way=${way}`
        const target = `/${one.upstream}${one.target}${one.target.includes('?') ? '&' : '?'}${mark}`
        const content = bytesOf(one.request)
        using client = await connect(gateway.port)
        const lines = [
          `${one.method} ${target} HTTP/1.1`,
          'Host: gateway.test',
          `Authorization: Bearer ${CLIENT_KEY}`,
          ...(one.request_type === undefined ? [] : [`Content-Type: ${one.request_type}`]),
          ...(one.tags ?? [])
            .filter((tag) => tag.startsWith('reqfield: '))
            .map((tag) => tag.slice('reqfield: '.length)),
          ...(one.request === undefined ? [] : [`Content-Length: ${content.length}`]),
        ]
        void client.write(Buffer.concat([latin1(`${lines.join('\r\n')}\r\n\r\n`), content]))
        await client.response()
        const record = await recordOf(gateway, mark)
        assert.equal(record.response_bytes, sent, way)
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
