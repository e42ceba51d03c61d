import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crc32, createGzip } from 'node:zlib'
import { events, type Played, play, said } from '../../support/usage-tap.ts'

const SSE = 'text/event-stream'

async function assertSaid(one: Played, wanted: Record<string, unknown>): Promise<void> {
  const usage = said(await play(one))
  for (const [name, value] of Object.entries(wanted))
    assert.deepEqual(usage[name], value, `${name} of ${JSON.stringify(usage)}`)
}

function anthropicStream(start: object, ...deltas: readonly object[]): string[] {
  return events(
    { type: 'message_start', message: { model: 'claude-x', role: 'assistant', content: [], usage: start } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'a' } },
    ...deltas.map((usage) => ({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage })),
    { type: 'message_stop' },
  )
}

function chat(usage: object): string {
  return JSON.stringify({ object: 'chat.completion', model: 'm', choices: [{ index: 0 }], usage })
}

describe('Anthropic', () => {
  const target = '/v1/messages'

  test('start and delta are not added up', () =>
    assertSaid(
      {
        target,
        type: SSE,
        answer: anthropicStream({ input_tokens: 10, output_tokens: 4 }, { output_tokens: 7 }, { output_tokens: 30 }),
      },
      { inputTokens: 10, outputTokens: 30, usage: 'exact' },
    ))

  test('what was read from a cache may be said in either place, or in both', async () => {
    const wanted = { inputTokens: 111, cachedTokens: 100, cacheWriteTokens: 1, outputTokens: 5, usage: 'exact' }
    const cache = { cache_read_input_tokens: 100, cache_creation_input_tokens: 1 }
    const start = { input_tokens: 10, output_tokens: 1 }
    const delta = { output_tokens: 5 }
    for (const [first, last] of [
      [{ ...start, ...cache }, delta],
      [start, { ...delta, ...cache }],
      [
        { ...start, ...cache },
        { ...delta, ...cache },
      ],
    ]) {
      await assertSaid({ target, type: SSE, answer: anthropicStream(first!, last!) }, wanted)
    }
  })

  test('what is written for an hour stands apart, since it has another price', () =>
    assertSaid(
      {
        target,
        type: SSE,
        answer: anthropicStream(
          {
            input_tokens: 5,
            cache_creation_input_tokens: 30,
            cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 },
            output_tokens: 1,
          },
          { output_tokens: 9, cache_creation_input_tokens: 30 },
        ),
      },
      { inputTokens: 35, cacheWriteTokens: 30, units: { cache_write_1h_tokens: 20 } },
    ))

  test('a null that comes later overwrites nothing', () =>
    assertSaid(
      {
        target,
        type: SSE,
        answer: anthropicStream(
          { input_tokens: 10, output_tokens: 4 },
          { output_tokens: 8 },
          { input_tokens: null, output_tokens: null },
        ),
      },
      { inputTokens: 10, outputTokens: 8 },
    ))

  test('a stream is not exact without what its start said of the input', () => {
    const pings = Array.from({ length: 100 }, () => ({ type: 'ping', filler: 'x'.repeat(100) }))
    const answer = [
      ...events(...pings),
      ...anthropicStream({ input_tokens: 10, output_tokens: 4 }, { output_tokens: 30 }),
    ]
    return assertSaid({ target, type: SSE, answer }, { inputTokens: undefined, outputTokens: 30, usage: 'partial' })
  })

  test('nobody is billed by the placeholder of a stream that broke off', () =>
    assertSaid(
      { target, type: SSE, how: 'broken', answer: anthropicStream({ input_tokens: 10, output_tokens: 4 }).slice(0, 2) },
      { inputTokens: 10, outputTokens: undefined, usage: 'partial' },
    ))

  test('a stream whose end was seen is exact, although its client left at once', () =>
    assertSaid(
      {
        target,
        type: SSE,
        how: 'broken',
        answer: anthropicStream({ input_tokens: 10, output_tokens: 4 }, { output_tokens: 30 }),
      },
      { outputTokens: 30, usage: 'exact' },
    ))

  test('steps of compaction and of an advisor are in no other count', () => {
    const step = (type: string, input: number, output: number, more = {}): object => ({
      type,
      input_tokens: input,
      output_tokens: output,
      ...more,
    })
    const usage = {
      input_tokens: 100,
      output_tokens: 40,
      iterations: [
        step('compaction', 5_000, 300),
        step('message', 60, 10),
        step('advisor_message', 700, 50, { model: 'claude-big', cache_read_input_tokens: 9 }),
        step('message', 40, 30),
      ],
    }
    return assertSaid(
      { target, answer: JSON.stringify({ type: 'message', role: 'assistant', model: 'claude-x', content: [], usage }) },
      { inputTokens: 5_809, cachedTokens: 9, outputTokens: 390, usage: 'exact' },
    )
  })

  test('steps that come on top do so although the others are not listed', () => {
    const usage = {
      input_tokens: 100,
      output_tokens: 40,
      iterations: [{ type: 'compaction', input_tokens: 5_000, output_tokens: 300 }],
    }
    return assertSaid(
      { target, type: SSE, answer: anthropicStream({ input_tokens: 100, output_tokens: 1 }, usage) },
      { inputTokens: 5_100, outputTokens: 340 },
    )
  })

  test('a step that was declined is not billed, the fallback that answered is', () => {
    const iterations = [
      { type: 'message', model: 'claude-a', input_tokens: 100, output_tokens: 2 },
      { type: 'message', model: 'claude-b', input_tokens: 50, output_tokens: 5 },
      { type: 'fallback_message', model: 'claude-b', input_tokens: 60, output_tokens: 20 },
    ]
    return assertSaid(
      {
        target,
        type: SSE,
        answer: anthropicStream({ input_tokens: 100, output_tokens: 1 }, { output_tokens: 2, iterations }),
      },
      { inputTokens: 110, outputTokens: 25 },
    )
  })
})

describe('Gemini', () => {
  const target = '/v1beta/models/gemini-x:generateContent'

  test('cached tokens are part of the prompt, thoughts are output, what tools brought is input', () =>
    assertSaid(
      {
        target,
        answer: JSON.stringify({
          candidates: [],
          usageMetadata: {
            promptTokenCount: 100,
            cachedContentTokenCount: 90,
            toolUsePromptTokenCount: 5,
            candidatesTokenCount: 10,
            thoughtsTokenCount: 7,
            totalTokenCount: 122,
          },
        }),
      },
      { model: 'gemini-x', inputTokens: 105, cachedTokens: 90, outputTokens: 17, reasoningTokens: 7 },
    ))

  test('a last chunk may leave out what has not changed', () =>
    assertSaid(
      {
        target: '/v1beta/models/gemini-x:streamGenerateContent?alt=sse',
        type: SSE,
        answer: events(
          { candidates: [{}], usageMetadata: { promptTokenCount: 8, candidatesTokenCount: 12 } },
          { candidates: [{ finishReason: 'SAFETY' }], usageMetadata: { promptTokenCount: 8 } },
        ),
      },
      { inputTokens: 8, outputTokens: 12, usage: 'exact' },
    ))

  test('of an array that breaks off, the last chunk that was whole counts', async () => {
    const chunk = (count: number) => ({
      candidates: [{ content: { parts: [{ text: '\n}'.repeat(500) }] } }],
      usageMetadata: { promptTokenCount: 8, candidatesTokenCount: count },
    })
    const answer = `[${[1, 2, 3, 4, 5, 6, 7, 8].map((count) => JSON.stringify(chunk(count), undefined, 2)).join('\n,\n')}\n]`
    const target = '/v1beta/models/gemini-x:streamGenerateContent'
    await assertSaid({ target, answer }, { outputTokens: 8, usage: 'exact' })
    await assertSaid(
      { target, answer: answer.slice(0, -300), how: 'broken' },
      { inputTokens: 8, outputTokens: 7, usage: 'partial' },
    )
  })

  test('arguments that a model writes are not usage, however they look', async () => {
    const args = {
      usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1 },
      filler: 'x'.repeat(9_000),
      usage: { a: 1 },
    }
    const chunk = { candidates: [{ content: { parts: [{ functionCall: { name: 'f', args } }] } }] }
    await assertSaid({ target, answer: JSON.stringify(chunk) }, { usage: 'none', inputTokens: undefined })
    const padded = { candidates: [{ content: { parts: [{ text: 'y'.repeat(9_000) }, { functionCall: { args } }] } }] }
    await assertSaid({ target, answer: JSON.stringify(padded) }, { usage: 'none', inputTokens: undefined })
  })

  test('interactions say it before the content, and leave thoughts out of the output', () =>
    assertSaid(
      {
        target: '/v1beta/interactions',
        answer: JSON.stringify({
          id: 'i',
          object: 'interaction',
          model: 'gemini-x',
          usage: {
            total_input_tokens: 10,
            total_output_tokens: 20,
            total_thought_tokens: 5,
            total_tool_use_tokens: 3,
            total_cached_tokens: 4,
            total_tokens: 38,
          },
          outputs: [{ text: 'z'.repeat(30_000) }],
        }),
      },
      { inputTokens: 13, outputTokens: 25, cachedTokens: 4, reasoningTokens: 5, usage: 'exact' },
    ))
})

describe('OpenAI and those who are compatible', () => {
  test('the chunk with empty choices counts', () =>
    assertSaid(
      {
        type: SSE,
        answer: events(
          { choices: [{ delta: { content: 'a' } }], usage: null },
          { choices: [], usage: { prompt_tokens: 3, completion_tokens: 4 } },
          'data: [DONE]\n\n',
        ),
      },
      { inputTokens: 3, outputTokens: 4, usage: 'exact' },
    ))

  test('usage in the last chunk but one counts', () =>
    assertSaid(
      {
        type: SSE,
        answer: events(
          { choices: [{}], usage: { prompt_tokens: 3, completion_tokens: 4 } },
          { choices: [{}] },
          { choices: [{}], usage: null },
          'data: [DONE]\n\n',
        ),
      },
      { inputTokens: 3, outputTokens: 4, usage: 'exact' },
    ))

  test('of two usages in one object the later one counts, as everywhere', async () => {
    const twice = (filler: string) =>
      `{"choices":["${filler}"],"usage":{"prompt_tokens":1,"completion_tokens":1},"usage":{"prompt_tokens":3,"completion_tokens":4}}`
    for (const filler of ['', 'x'.repeat(20_000)])
      await assertSaid({ answer: twice(filler) }, { inputTokens: 3, outputTokens: 4 })
  })

  test('an explicit zero is zero, and what is not said is not', () =>
    assertSaid(
      { answer: chat({ prompt_tokens: 0, completion_tokens: 0, prompt_tokens_details: { cached_tokens: 0 } }) },
      { inputTokens: 0, outputTokens: 0, cachedTokens: 0, reasoningTokens: undefined },
    ))

  test('data without a blank, CR LF, and an event of several lines', () =>
    assertSaid(
      {
        type: SSE,
        answer:
          'data:{"choices":[],\r\ndata: "usage":{"prompt_tokens":3,\r\ndata:"completion_tokens":4}}\r\n\r\ndata:[DONE]\r\n\r\n',
      },
      { inputTokens: 3, outputTokens: 4, usage: 'exact' },
    ))

  test('an event of several lines of which only the end is kept', () =>
    assertSaid(
      {
        type: SSE,
        answer: `data: {"object":"chat.completion.chunk",\ndata: "choices":["${'x'.repeat(20_000)}"],\ndata: "usage":{"prompt_tokens":3,\ndata: "completion_tokens":4}}\n\n`,
      },
      { inputTokens: 3, outputTokens: 4, usage: 'exact' },
    ))

  test("xAI's reasoning is added where its total says that it was left out", async () => {
    const details = { completion_tokens_details: { reasoning_tokens: 90 } }
    await assertSaid(
      { answer: chat({ prompt_tokens: 10, completion_tokens: 100, total_tokens: 200, ...details }) },
      { outputTokens: 190 },
    )
    await assertSaid(
      { answer: chat({ prompt_tokens: 10, completion_tokens: 100, total_tokens: 110, ...details }) },
      { outputTokens: 100 },
    )
    await assertSaid({ answer: chat({ prompt_tokens: 10, completion_tokens: 9, ...details }) }, { outputTokens: 99 })
  })

  test("Perplexity's reasoning and citations are output", () =>
    assertSaid(
      {
        answer: chat({
          prompt_tokens: 33,
          completion_tokens: 7_163,
          total_tokens: 7_196,
          citation_tokens: 200,
          num_search_queries: 18,
          reasoning_tokens: 700,
        }),
      },
      { outputTokens: 8_063, reasoningTokens: 700, units: { web_search_requests: 18, citation_tokens: 200 } },
    ))

  test('the class of service is told, since it changes the price', () =>
    assertSaid(
      {
        answer: JSON.stringify({
          choices: [],
          usage: { prompt_tokens: 1, completion_tokens: 1 },
          service_tier: 'flex',
        }),
      },
      { tier: 'flex' },
    ))

  test('nothing counts behind [DONE]', () =>
    assertSaid(
      {
        type: SSE,
        answer: events({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 4 } }, 'data: [DONE]\n\n', {
          choices: [],
          usage: { prompt_tokens: 30, completion_tokens: 40 },
        }),
      },
      { inputTokens: 3, outputTokens: 4, usage: 'exact' },
    ))

  test('an image in a single event has its usage at either end, or it is out of reach', async () => {
    const usage = { input_tokens: 50, output_tokens: 60 }
    const completed = 'image_generation.completed'
    const b64_json = 'x'.repeat(30_000)
    const partial = { type: 'image_generation.partial_image', b64_json }
    const target = '/v1/images/generations'
    const wanted = { inputTokens: 50, outputTokens: 60, usage: 'exact' }
    const first = { type: completed, usage, b64_json }
    await assertSaid({ target, type: SSE, answer: events(first) }, wanted)
    await assertSaid({ target, type: SSE, answer: events(partial, { type: completed, b64_json, usage }) }, wanted)
    await assertSaid(
      { target, type: SSE, answer: events(partial, first) },
      { usage: 'unknown', reason: 'out_of_reach', inputTokens: undefined },
    )
  })

  test('a compacted response counts', () =>
    assertSaid(
      {
        target: '/v1/responses/compact',
        answer: JSON.stringify({
          id: 'r',
          object: 'response.compaction',
          output: [],
          usage: { input_tokens: 139, output_tokens: 438, total_tokens: 577 },
        }),
      },
      { inputTokens: 139, outputTokens: 438, usage: 'exact' },
    ))

  test('a background answer and a batch do not, or they would count twice', async () => {
    const usage = { input_tokens: 1, output_tokens: 2 }
    await assertSaid(
      { target: '/v1/responses', answer: JSON.stringify({ object: 'response', background: true, model: 'm', usage }) },
      { usage: 'none', inputTokens: undefined },
    )
    await assertSaid(
      { target: '/v1/batches', answer: JSON.stringify({ object: 'batch', model: 'm', usage }) },
      { usage: 'none', inputTokens: undefined },
    )
  })

  test('an error within a stream leaves the totals so far', () =>
    assertSaid(
      {
        type: SSE,
        answer: events(
          { choices: [{}], usage: { prompt_tokens: 3, completion_tokens: 1 } },
          { error: { message: 'x' } },
        ),
      },
      { inputTokens: 3, outputTokens: 1, usage: 'partial' },
    ))
})

/** A frame of an event stream, as Bedrock sends them. */
function bedrockFrame(event: string, payload: object): Buffer {
  const headers = Buffer.concat(
    [
      [':event-type', event],
      [':message-type', 'event'],
    ].map(([name, value]) =>
      Buffer.from(
        `${String.fromCharCode(name!.length)}${name}\x07\x00${String.fromCharCode(value!.length)}${value}`,
        'latin1',
      ),
    ),
  )
  const content = Buffer.from(JSON.stringify(payload))
  const frame = Buffer.alloc(12 + headers.length + content.length + 4)
  frame.writeUInt32BE(frame.length, 0)
  frame.writeUInt32BE(headers.length, 4)
  frame.writeUInt32BE(crc32(frame.subarray(0, 8)), 8)
  headers.copy(frame, 12)
  content.copy(frame, 12 + headers.length)
  frame.writeUInt32BE(crc32(frame.subarray(0, -4)), frame.length - 4)
  return frame
}

describe('Bedrock', () => {
  const type = 'application/vnd.amazon.eventstream'
  const target = '/model/m/converse-stream'
  const delta = (count: number) =>
    bedrockFrame('contentBlockDelta', { delta: { text: `${count} `.repeat(count % 40) } })
  const metadata = bedrockFrame('metadata', { usage: { inputTokens: 7, outputTokens: 9, cacheReadInputTokens: 3 } })

  test('the frames of a long stream are found in the middle of it', async () => {
    for (let count = 100; count < 160; count++) {
      const answer = [...Array.from({ length: count }, (_, index) => delta(index)), metadata]
      await assertSaid({ target, type, answer }, { inputTokens: 10, outputTokens: 9, cachedTokens: 3, usage: 'exact' })
    }
  })

  test('a frame whose sum is wrong says nothing', async () => {
    for (const at of [0, 6, 10, 40, metadata.length - 6, metadata.length - 1]) {
      const broken = Buffer.from(metadata)
      broken[at]! ^= 1
      await assertSaid(
        { target, type, answer: [delta(5), broken] },
        { usage: 'unknown', reason: 'malformed', inputTokens: undefined },
      )
    }
  })

  test('what is written for an hour stands apart', () =>
    assertSaid(
      {
        target: '/model/m/converse',
        answer: JSON.stringify({
          output: {},
          usage: {
            inputTokens: 5,
            outputTokens: 6,
            cacheWriteInputTokens: 100,
            cacheDetails: [
              { ttl: '1h', inputTokens: 60 },
              { ttl: '5m', inputTokens: 40 },
            ],
          },
        }),
      },
      { inputTokens: 105, cacheWriteTokens: 100, outputTokens: 6, units: { cache_write_1h_tokens: 60 } },
    ))

  test('fields of the head say it where the body does not', () =>
    assertSaid(
      {
        target: '/model/mistral.mistral-7b%3A2/invoke',
        fields: { 'x-amzn-bedrock-input-token-count': '15', 'x-amzn-bedrock-output-token-count': '60' },
        answer: '{"outputs":[{"text":"x","stop_reason":"stop"}]}',
      },
      { model: 'mistral.mistral-7b:2', inputTokens: 15, outputTokens: 60, usage: 'exact' },
    ))
})

describe('whoever it is', () => {
  test('blank lines and comments while a request waits do not hide the beginning', async () => {
    const blank = Array.from({ length: 5_000 }, () => '\n')
    await assertSaid(
      { answer: [...blank, chat({ prompt_tokens: 3, completion_tokens: 4 })] },
      { model: 'm', outputTokens: 4, usage: 'exact' },
    )
    const waiting = Array.from({ length: 500 }, () => ': keep-alive\n\n')
    const answer = [...waiting, ...anthropicStream({ input_tokens: 10, output_tokens: 4 }, { output_tokens: 30 })]
    await assertSaid(
      { target: '/v1/messages', type: SSE, answer },
      { model: 'claude-x', inputTokens: 10, outputTokens: 30, usage: 'exact' },
    )
  })

  test('comments hide nothing wherever they are cut, and whatever ends their lines', async () => {
    for (const lineEnd of ['\n', '\r\n', '\r']) {
      const events = anthropicStream({ input_tokens: 10, output_tokens: 4 }, { output_tokens: 30 }).join('')
      const bytes = Buffer.from(`\ufeff${`: keep-alive "{${lineEnd}${lineEnd}`.repeat(2_000)}${events}`)
      for (const size of [1, 7, 1_000, bytes.length]) {
        const answer: Buffer[] = []
        for (let at = 0; at < bytes.length; at += size) answer.push(bytes.subarray(at, at + size))
        await assertSaid(
          { target: '/v1/messages', type: SSE, answer },
          { model: 'claude-x', inputTokens: 10, outputTokens: 30, usage: 'exact' },
        )
      }
    }
  })

  test("an empty name is no model: Azure's first chunk has one", () =>
    assertSaid(
      {
        type: SSE,
        answer: events(
          { model: '', choices: [] },
          { model: 'm', choices: [], usage: { prompt_tokens: 3, completion_tokens: 4 } },
        ),
      },
      { model: 'm' },
    ))

  test('a ranking of somebody who is not Cohere', () =>
    assertSaid(
      { target: '/v1/rerank', answer: '{"model":"m","usage":{"total_tokens":56},"results":[]}' },
      { inputTokens: 56, usage: 'exact' },
    ))

  test('a total alone is input, where nothing is generated', () =>
    assertSaid(
      { target: '/v1/embeddings', answer: '{"object":"list","data":[],"model":"m","usage":{"total_tokens":9}}' },
      { inputTokens: 9, usage: 'exact' },
    ))

  test('what is counted or kept is not used', async () => {
    for (const [target, answer] of [
      ['/v1/responses/input_tokens', '{"object":"response.input_tokens","input_tokens":11}'],
      ['/v1beta/cachedContents', '{"name":"cachedContents/x","model":"m","usageMetadata":{"totalTokenCount":4000}}'],
      ['/v1beta/models/m:countTokens', '{"totalTokens":31,"promptTokensDetails":[]}'],
      ['/v1/messages/batches', '{"id":"b","type":"message_batch","request_counts":{}}'],
      ['/v1/responses', '{"object":"response","status":"queued","model":"m","usage":null}'],
    ] as const) {
      await assertSaid({ target, answer }, { usage: 'none', inputTokens: undefined, outputTokens: undefined })
    }
  })

  test('the time to the first token is that of the first event with content', async () => {
    const clock = (times: number[]) => () => times.shift() ?? Number.NaN
    const answer = anthropicStream({ input_tokens: 10, output_tokens: 4 }, { output_tokens: 30 })
    await assertSaid({ target: '/v1/messages', type: SSE, answer, now: clock([100, 350]) }, { ttftMs: 250 })
    await assertSaid({ answer: chat({ prompt_tokens: 1 }), now: clock([100]) }, { ttftMs: undefined })
  })

  test('the same of a compressed stream, which is inflated long after', async () => {
    const answer: Buffer[] = []
    const gzip = createGzip()
    gzip.on('data', (bytes: Buffer) => answer.push(bytes))
    for (const event of anthropicStream({ input_tokens: 10, output_tokens: 4 }, { output_tokens: 30 })) {
      await new Promise((written) => gzip.write(event, written))
      await new Promise<void>((flushed) => gzip.flush(() => flushed()))
    }
    await new Promise((ended) => gzip.end(() => ended(undefined)))
    let nowMs = 0
    const now = (): number => (nowMs += 10)
    // The head of gzip, then the events: the second of them has content.
    const header = answer[0]!.length === 10 ? 1 : 0
    const fields = { 'content-encoding': 'gzip' }
    await assertSaid(
      { target: '/v1/messages', type: SSE, answer, fields, now },
      { ttftMs: 10 * (2 + header), outputTokens: 30 },
    )
  })

  test('a client that left before the first byte is billed nothing', async () => {
    const wanted = { usage: 'none', inputTokens: undefined, outputTokens: undefined }
    await assertSaid({ answer: [], how: 'broken' }, wanted)
  })

  test('UTF-8 and escapes may be cut in two', async () => {
    const text =
      'data: {"model":"modèle-😀","choices":[{"delta":{"content":"\\u00e9\\n"}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n'
    const bytes = Buffer.from(text)
    for (let at = 0; at <= bytes.length; at++) {
      await assertSaid(
        { type: SSE, answer: [bytes.subarray(0, at), bytes.subarray(at)] },
        { model: 'modèle-😀', outputTokens: 2 },
      )
    }
  })
})
