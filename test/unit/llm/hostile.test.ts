import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { decodersAtWork, MAX_DECODERS, MAX_LASTING } from '../../../src/llm/decoders.ts'
import type { Dialect, FieldOf } from '../../../src/llm/dialect.ts'
import { anthropic } from '../../../src/llm/dialects/anthropic.ts'
import { bedrock } from '../../../src/llm/dialects/bedrock.ts'
import { cohere } from '../../../src/llm/dialects/cohere.ts'
import { gemini } from '../../../src/llm/dialects/gemini.ts'
import { ollama } from '../../../src/llm/dialects/ollama.ts'
import { openAiChat } from '../../../src/llm/dialects/openai-chat.ts'
import { openAiResponses } from '../../../src/llm/dialects/openai-responses.ts'
import { createEstimator } from '../../../src/llm/estimate.ts'
import { type Coding, Inflater } from '../../../src/llm/inflate.ts'
import { ContentTap } from '../../../src/llm/tap.ts'
import { Window } from '../../../src/llm/window.ts'
import { events, play } from '../../support/usage-tap.ts'
import { deflater, frame } from '../../support/websocket-frames.ts'

const SSE = 'text/event-stream'
const USAGE = { prompt_tokens: 3, completion_tokens: 4 }

function openTap(): ContentTap {
  return new ContentTap({ dialect: 'auto', estimator: createEstimator(), now: () => 0 })
}

function ofType(type: string): FieldOf {
  return (name) => (name === 'content-type' ? type : undefined)
}

describe('counts', () => {
  for (const wrong of ['-1', '1.5', '1e300', '9007199254740992', '"3"', 'true', 'null', '[3]', '{"n":3}']) {
    test(`${wrong} is none`, async () => {
      const answer = (output: string): string =>
        `{"choices":[],"usage":{"prompt_tokens":${wrong},"completion_tokens":${output}}}`
      const usage = await play({ answer: answer('4') })
      assert.equal(usage.inputTokens, undefined)
      assert.equal(usage.outputTokens, 4)
      const nothing = await play({ answer: answer(wrong) })
      const isSaid = wrong !== 'null'
      assert.deepEqual([nothing.usage, nothing.reason], isSaid ? ['unknown', 'unsound'] : ['none', undefined])
    })
  }

  test('what adds up to more than can be counted is none', async () => {
    const most = Number.MAX_SAFE_INTEGER
    const usage = { input_tokens: most, cache_read_input_tokens: most, output_tokens: 5 }
    const answer = JSON.stringify({ type: 'message', role: 'assistant', usage })
    const { inputTokens, outputTokens } = await play({ target: '/v1/messages', answer })
    assert.deepEqual([inputTokens, outputTokens], [undefined, 5])
  })
})

describe('what is not usage', () => {
  const large = 'x'.repeat(20_000)
  for (const [name, answer] of Object.entries({
    'in a text': JSON.stringify({ choices: [{ text: '","usage":{"prompt_tokens":1}}' }] }),
    'in a text at the end of a large answer': JSON.stringify({
      choices: [{ text: `${large}","usage":{"prompt_tokens":1}}` }],
    }),
    'in arguments at the end of a large answer': JSON.stringify({ choices: [large, { input: { usage: USAGE } }] }),
    'below another member at the end of a large answer': JSON.stringify({ choices: [large], meta: { usage: USAGE } }),
    'in an array': JSON.stringify([{ choices: [] }, [{ usage: USAGE }]]),
  })) {
    test(name, async () => {
      const usage = await play({ answer })
      assert.equal(usage.inputTokens, undefined)
      assert.equal(usage.outputTokens, undefined)
    })
  }

  test('at the level of another member that is too large to be seen', async () => {
    const answer = JSON.stringify({ choices: [], meta: { large, usage: USAGE } })
    assert.equal((await play({ answer })).inputTokens, undefined)
  })

  test('where an answer happens to break off', async () => {
    const start = `{"type":"message","role":"assistant","content":[{"input":{"filler":"${large}","a":{"usage":{"input_tokens":1,"output_tokens":2}}`
    for (const [target, type, answer] of [
      ['/v1/messages', 'application/json', start],
      ['/v1/messages', SSE, `data: ${start}`],
      ['/api/chat', 'application/x-ndjson', `{"a":["${large}",{"prompt_eval_count":1,"eval_count":2}`],
      [
        '/v1/models/m:streamGenerateContent',
        'application/json',
        `[{"args":["${large}",{"list":[{"usageMetadata":{"promptTokenCount":1}}]`,
      ],
    ] as const) {
      const usage = await play({ target, type, answer, how: 'broken' })
      assert.deepEqual(
        [usage.usage, usage.inputTokens, usage.outputTokens],
        ['none', undefined, undefined],
        `${target}, ${type}`,
      )
    }
  })

  test('where a stream ends that its connection ends', async () => {
    const args = { filler: 'x'.repeat(9_000), a: { prompt_eval_count: 1, eval_count: 2 } }
    const line = JSON.stringify({ model: 'm', message: { arguments: args } }).slice(0, -3)
    const chunk = { choices: [{ delta: { arguments: { list: ['x'.repeat(9_000), { usage: USAGE, choices: [] }] } } }] }
    for (const [type, answer] of [
      ['application/x-ndjson', `{"model":"m","message":{"content":"${'y'.repeat(5_000)}"}}\n${line}`],
      [SSE, `data: {"choices":[]}\n\n: ${'y'.repeat(5_000)}\n\ndata: ${JSON.stringify(chunk).slice(0, -6)}`],
    ] as const) {
      const usage = await play({ target: '/x', type, answer })
      assert.deepEqual([usage.inputTokens, usage.outputTokens], [undefined, undefined], type)
    }
  })

  test('in the arguments of a stream that has none', async () => {
    const delta = { choices: [{ delta: { tool_calls: [{ function: { arguments: { usage: USAGE } } }] } }] }
    assert.equal((await play({ type: SSE, answer: events(delta, 'data: [DONE]\n\n') })).usage, 'none')
  })
})

describe('an answer', () => {
  test('of 100 MB without a line break', async () => {
    const tap = openTap()
    tap.responseHead(200, ofType(SSE))
    tap.response(Buffer.from('data: {"choices":["'))
    const piece = Buffer.alloc(1_048_576, 'x')
    for (let count = 0; count < 100; count++) tap.response(piece)
    tap.response(Buffer.from(`"],"usage":${JSON.stringify(USAGE)}}\n\ndata: [DONE]\n\n`))
    tap.end('complete')
    tap.result((usage) => assert.deepEqual([usage.usage, usage.outputTokens], ['exact', 4]))
  })

  test('of a million octets, one at a time', async () => {
    const tap = openTap()
    tap.responseHead(200, ofType('application/json'))
    const bytes = Buffer.from(`{"choices":["${'x'.repeat(1_000_000)}"],"usage":${JSON.stringify(USAGE)}}`)
    for (let at = 0; at < bytes.length; at++) tap.response(bytes.subarray(at, at + 1))
    tap.end('complete')
    tap.result((usage) => assert.deepEqual([usage.usage, usage.outputTokens], ['exact', 4]))
  })

  test('of brackets alone', async () => {
    for (const answer of [
      '['.repeat(50_000),
      '{"a":'.repeat(50_000),
      ']'.repeat(50_000),
      '}'.repeat(50_000),
      '"'.repeat(50_000),
      '\\'.repeat(50_000),
    ]) {
      for (const type of ['application/json', SSE, 'application/x-ndjson', 'application/vnd.amazon.eventstream']) {
        assert.ok(['none', 'unknown'].includes((await play({ answer, type })).usage))
      }
    }
  })

  test('in frames that are none', async () => {
    const type = 'application/vnd.amazon.eventstream'
    const target = '/model/m/converse-stream'
    const zero = Buffer.alloc(30_000)
    const huge = Buffer.from('ffffffff0000000012345678'.repeat(2_000), 'hex')
    for (const answer of [zero, huge, Buffer.concat([huge, zero])]) {
      assert.equal((await play({ answer, type, target })).inputTokens, undefined)
    }
  })
})

describe('compressed content', () => {
  const json = JSON.stringify({ choices: [{ text: 'x'.repeat(500) }], usage: USAGE })
  const gzipped = gzipSync(json)

  test('that is broken is given up, wherever it breaks', async () => {
    for (let at = 0; at < gzipped.length - 8; at++) {
      const answer = Buffer.from(gzipped)
      answer[at]! ^= 0xff
      const usage = await play({ answer, fields: { 'content-encoding': 'gzip' } })
      assert.ok(
        usage.usage === 'unknown' || usage.outputTokens === 4 || usage.usage === 'none',
        `octet ${at}: ${usage.usage}`,
      )
    }
    assert.equal(decodersAtWork(), 0)
  })

  test('that breaks off is never exact', async () => {
    for (const [coding, bytes] of [
      ['gzip', gzipped],
      ['br', brotliCompressSync(json)],
      ['zstd', zstdCompressSync(json)],
    ] as const) {
      for (let at = 0; at < bytes.length - 9; at++) {
        const usage = await play({
          answer: bytes.subarray(0, at),
          how: 'broken',
          fields: { 'content-encoding': coding },
        })
        assert.ok(['none', 'partial'].includes(usage.usage), `${coding}, ${at}: ${usage.usage} ${usage.reason}`)
      }
    }
  })

  test('that grows beyond measure is given up', async () => {
    const answer = gzipSync(Buffer.alloc(80_000_000, ' '))
    const usage = await play({ answer, fields: { 'content-encoding': 'gzip' } })
    assert.deepEqual([usage.usage, usage.reason], ['unknown', 'too_large'])
  })

  test('is inflated by so many decoders at once and no more', async () => {
    const large = Buffer.concat([
      gzipSync(Buffer.from(`{"choices":["${Array.from({ length: 40_000 }, (_, at) => at * 7919).join()}`)),
    ])
    const taps = Array.from({ length: MAX_LASTING + 3 }, openTap)
    for (const tap of taps) {
      tap.responseHead(200, (name) => (name === 'content-encoding' ? 'gzip' : 'application/json'))
      tap.response(large.subarray(0, 70_000))
    }
    assert.equal(decodersAtWork(), MAX_LASTING)
    const results = taps.map(
      (tap) => new Promise<string | undefined>((settle) => tap.result(({ reason }) => settle(reason))),
    )
    for (const tap of taps) tap.end('broken')
    assert.equal((await Promise.all(results)).filter((reason) => reason === 'overload').length, 3)
    while (decodersAtWork() > 0) await new Promise((turn) => setImmediate(turn))
  })

  test('behind which something else stands leaves its decoder', async () => {
    const text = randomBytes(80_000).toString('base64')
    for (const [coding, encode] of Object.entries({
      deflate: deflateSync,
      br: brotliCompressSync,
      zstd: zstdCompressSync,
    })) {
      let length = 0
      let onText = (): void => undefined
      let onOver = (_failure: string | undefined): void => undefined
      const inflater = new Inflater(coding as Coding, {
        output: (bytes) => (length += bytes.length) === text.length && onText(),
        over: (failure) => onOver(failure),
      })
      const isRead = new Promise<void>((settle) => (onText = settle))
      inflater.add(Buffer.concat([encode(text), Buffer.alloc(20_000, 'x')]))
      await isRead
      // Its decoder has come to an end before the answer has.
      await new Promise((turn) => setImmediate(turn))
      const isOver = new Promise((settle) => (onOver = settle))
      inflater.end()
      assert.equal(await isOver, undefined, coding)
      for (let turns = 0; decodersAtWork() > 0; turns++) {
        assert.ok(turns < 100_000, `${coding} keeps its decoder`)
        await new Promise((turn) => setImmediate(turn))
      }
    }
  })

  test('that has ended does not wait for tunnels and streams that go on', async () => {
    const text = await deflater()(Buffer.from('{}'))
    const tunnels = Array.from({ length: MAX_DECODERS }, openTap)
    for (const tunnel of tunnels) {
      tunnel.responseHead(101, () => 'permessage-deflate')
      tunnel.response(frame(0xc1, text))
    }
    const usage = await play({ answer: gzipped, fields: { 'content-encoding': 'gzip' } })
    assert.equal(usage.usage, 'exact')
    for (const tunnel of tunnels) tunnel.end('broken')
    while (decodersAtWork() > 0) await new Promise((turn) => setImmediate(turn))
  })

  test('of many exchanges that end together waits for its turn', async () => {
    const all = Array.from({ length: MAX_DECODERS * 3 }, () =>
      play({ answer: gzipped, fields: { 'content-encoding': 'gzip' } }),
    )
    for (const { usage } of await Promise.all(all)) assert.equal(usage, 'exact')
  })

  test('in two codings, or in one that nobody knows, is given up', async () => {
    for (const coding of ['gzip, br', 'compress', 'x']) {
      const usage = await play({ answer: gzipped, fields: { 'content-encoding': coding } })
      assert.deepEqual([usage.usage, usage.reason], ['unknown', 'coding'])
      const nothing = await play({ answer: [], status: 204, fields: { 'content-encoding': coding } })
      assert.deepEqual([nothing.usage, nothing.reason], ['none', undefined])
    }
  })
})

describe('a tap never throws', () => {
  const ALL: Record<string, [Dialect, string]> = {
    anthropic: [anthropic, '/v1/messages'],
    bedrock: [bedrock, '/model/m/invoke'],
    cohere: [cohere, '/v2/chat'],
    gemini: [gemini, '/v1/models/m:generateContent'],
    ollama: [ollama, '/api/chat'],
    chat: [openAiChat, '/v1/chat/completions'],
    responses: [openAiResponses, '/v1/responses'],
  }
  for (const [name, [dialect, target]] of Object.entries(ALL)) {
    test(`although ${name} does`, async (t) => {
      t.mock.method(dialect, 'read', () => {
        throw new Error('a bug')
      })
      const usage = await play({ target, answer: '{}' })
      assert.deepEqual([usage.usage, usage.reason], ['unknown', 'bug'])
      const deflated = await play({ target, answer: gzipSync('{}'), fields: { 'content-encoding': 'gzip' } })
      assert.deepEqual([deflated.usage, deflated.reason], ['unknown', 'bug'])
    })
  }

  test('although memory does', async (t) => {
    t.mock.method(Window.prototype, 'add', () => {
      throw new Error('a bug')
    })
    for (const fields of [{}, { 'content-encoding': 'gzip' }] as Record<string, string>[]) {
      const answer = fields['content-encoding'] === undefined ? '{}' : gzipSync('{}')
      assert.equal((await play({ answer, fields })).reason, 'bug')
    }
  })

  test('although it is called in another order', () => {
    const tap = openTap()
    tap.response(Buffer.from('{'))
    tap.request(Buffer.from('{'))
    tap.end('broken')
    tap.end('complete')
    tap.response(Buffer.from('}'))
    tap.responseHead(200, ofType('application/json'))
    tap.response(Buffer.from('{}'))
    tap.result(({ usage }) => assert.equal(usage, 'none'))
  })
})
