import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createEstimator, type Estimator, MAX_MODELS } from '../../../src/llm/estimate.ts'
import { events, play } from '../../support/usage-tap.ts'

describe('an estimator', () => {
  test('knows nothing of a model that it has not seen', () => {
    const estimator = createEstimator()
    estimator.learn('stream', 'a', 100, 10)
    assert.equal(estimator.tokensOf('stream', 'b', 100), undefined)
    assert.equal(estimator.tokensOf('unary', 'a', 100), undefined)
    assert.equal(estimator.tokensOf('stream', 'a', 250), 25)
  })

  test('learns from what is a measure alone', () => {
    const estimator = createEstimator()
    for (const [bytes, tokens] of [
      [0, 5],
      [5, 0],
      [-1, 5],
      [Number.NaN, 5],
    ] as const)
      estimator.learn('unary', 'a', bytes, tokens)
    assert.equal(estimator.tokensOf('unary', 'a', 100), undefined)
  })

  test('follows a model that changes', () => {
    const estimator = createEstimator()
    for (let count = 0; count < 1_000; count++) estimator.learn('stream', 'a', 300_000, 1_000)
    for (let count = 0; count < 10_000; count++) estimator.learn('stream', 'a', 100_000, 1_000)
    const tokens = estimator.tokensOf('stream', 'a', 100_000)!
    assert.ok(Math.abs(tokens - 1_000) < 10, `${tokens}`)
  })

  test('forgets the model that was used least lately', () => {
    const estimator = createEstimator()
    for (let count = 0; count < MAX_MODELS; count++) estimator.learn('stream', `m${count}`, 10, 1)
    estimator.tokensOf('stream', 'm0', 10)
    estimator.learn('stream', 'one more', 10, 1)
    assert.equal(estimator.tokensOf('stream', 'm0', 10), 1)
    assert.equal(estimator.tokensOf('stream', 'm1', 10), undefined)
  })
})

/** The same numbers every time. */
function numbers(): (below: number) => number {
  let state = 7
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return state % below
  }
}

type Answer = (tokens: readonly number[]) => string[]

const chat: Answer = (tokens) =>
  events(
    { object: 'chat.completion.chunk', model: 'm', choices: [{ delta: { role: 'assistant', content: '' } }] },
    ...tokens.map((count) => ({
      object: 'chat.completion.chunk',
      model: 'm',
      choices: [{ delta: { content: 'word '.repeat(count) } }],
    })),
    { object: 'chat.completion.chunk', model: 'm', choices: [{ delta: {}, finish_reason: 'stop' }] },
    {
      model: 'm',
      choices: [],
      usage: { prompt_tokens: 10, completion_tokens: tokens.reduce((sum, count) => sum + count, 0) },
    },
    'data: [DONE]\n\n',
  )

const messages: Answer = (tokens) =>
  events(
    {
      type: 'message_start',
      message: { model: 'm', role: 'assistant', usage: { input_tokens: 10, output_tokens: 4 } },
    },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    ...tokens.map((count) => ({
      type: 'content_block_delta',
      index: 0,
      delta: { type: 'text_delta', text: 'word '.repeat(count) },
    })),
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: {}, usage: { output_tokens: tokens.reduce((sum, count) => sum + count, 0) } },
    { type: 'message_stop' },
  )

const responses: Answer = (tokens) => {
  const text = tokens.map((count) => 'word '.repeat(count)).join('')
  const echo = { object: 'response', model: 'm', instructions: 'x'.repeat(12_000), tools: [] }
  return events(
    { type: 'response.created', response: { ...echo, output: [], usage: null } },
    ...tokens.map((count) => ({ type: 'response.output_text.delta', item_id: 'i', delta: 'word '.repeat(count) })),
    { type: 'response.output_text.done', item_id: 'i', text },
    {
      type: 'response.completed',
      response: {
        ...echo,
        output: [{ text }],
        usage: { input_tokens: 10, output_tokens: tokens.reduce((sum, count) => sum + count, 0) },
      },
    },
  )
}

async function assertClose(answer: Answer, target: string, estimator: Estimator): Promise<void> {
  const below = numbers()
  const words = (): number[] => Array.from({ length: 20 + below(120) }, () => 1 + below(5))
  const exchange = (list: readonly string[], how: 'complete' | 'broken') =>
    play({ target, type: 'text/event-stream', answer: list, how, estimator, request: '{"model":"m"}' })
  for (let count = 0; count < 50; count++) assert.equal((await exchange(answer(words()), 'complete')).usage, 'exact')
  let used = 0
  let estimated = 0
  for (let count = 0; count < 1_000; count++) {
    const tokens = words()
    const seen = 1 + below(tokens.length)
    used += tokens.slice(0, seen).reduce((sum, one) => sum + one, 0)
    const list = answer(tokens)
    const first = list.findIndex((event) => event.includes('word'))
    const usage = await exchange(list.slice(0, first + seen), 'broken')
    assert.ok(usage.usage === 'estimated' || usage.usage === 'partial', usage.usage)
    assert.equal(usage.inputTokens, 10)
    estimated += usage.outputTokens!
  }
  assert.ok(Math.abs(estimated / used - 1) < 0.05, `${estimated} instead of ${used}`)
}

describe('a thousand streams that broke off are estimated well', () => {
  test('chat', () => assertClose(chat, '/v1/chat/completions', createEstimator()))
  test('messages', () => assertClose(messages, '/v1/messages', createEstimator()))
  test('responses', () => assertClose(responses, '/v1/responses', createEstimator()))
})

test('nothing is estimated where nothing was generated', async () => {
  const estimator = createEstimator()
  const answer = {
    choices: [{ message: { content: 'word' } }],
    model: 'm',
    usage: { prompt_tokens: 5, completion_tokens: 5 },
  }
  await play({ answer: JSON.stringify(answer), estimator })
  const request = '{"model":"m"}'
  assert.equal(
    (await play({ request, answer: '{"input_tokens":2095}', target: '/v1/messages/count_tokens', estimator })).usage,
    'none',
  )
  assert.equal((await play({ request, answer: '{"error":{}}', status: 429, estimator })).usage, 'none')
  assert.equal((await play({ request, answer: [], how: 'broken', estimator })).usage, 'none')
  const silent = { model: 'm', choices: [{ message: { content: 'word' } }] }
  assert.equal((await play({ request, answer: JSON.stringify(silent), estimator })).usage, 'estimated')
})
