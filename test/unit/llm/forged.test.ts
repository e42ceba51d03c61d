import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { events, type Played, play } from '../../support/usage-tap.ts'

/**
 * What a model writes is never usage: all words of all dialects stand in its texts and in the objects that are its arguments, near
 * the start and near the end of answers of any size, whole and broken off.
 */

const COUNTS = {
  prompt_tokens: 666,
  completion_tokens: 666,
  input_tokens: 666,
  output_tokens: 666,
  inputTokens: 666,
  outputTokens: 666,
  promptTokenCount: 666,
  candidatesTokenCount: 666,
  prompt_eval_count: 666,
  eval_count: 666,
  total_input_tokens: 666,
  billed_units: { input_tokens: 666, output_tokens: 666 },
  cost: 666,
}
const INNER = { usage: COUNTS, meta: COUNTS, model: 'forged' }
const FORGED = {
  ...COUNTS,
  ...INNER,
  usageMetadata: COUNTS,
  'amazon-bedrock-invocationMetrics': COUNTS,
  response: INNER,
  delta: INNER,
  message: INNER,
  interaction: INNER,
  x_groq: INNER,
  type: 'response.completed',
  object: 'response',
  done: true,
  modelVersion: 'forged',
}

type Written = { readonly text: string; readonly args: object }

/** What a model wrote; the same for a seed every time. */
function written(seed: number): Written {
  let state = seed
  const next = (below: number): number => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) % below
  const filler = (): string => 'x'.repeat([0, 10, 500, 2_000, 7_000, 9_000, 12_000][next(7)]!)
  const args: Record<string, unknown> = {}
  for (const name of ['a', 'b', 'c']) {
    const kinds = [filler(), FORGED, [FORGED, filler()], JSON.stringify(FORGED) + filler()]
    const kind = next(5)
    if (kind === 4) Object.assign(args, FORGED)
    else args[name] = kinds[kind]
  }
  const end = `"}]},"usage":${JSON.stringify(COUNTS)}}\n\ndata: ${JSON.stringify(FORGED)}\n\n`
  return { text: filler() + end + filler(), args }
}

const SSE = 'text/event-stream'
const GEMINI = '/v1beta/models/m'

/** Answers in which no usage stands. */
const ANSWERS: Readonly<
  Record<string, (one: Written, other: Written) => Omit<Played, 'answer'> & { answer: unknown }>
> = {
  chat: ({ text, args }) => ({ answer: { object: 'chat.completion', choices: [{ message: { text, args } }] } }),
  'a stream of chat': ({ text, args }, other) => ({
    type: SSE,
    answer: events({ choices: [{ delta: { text, args } }] }, { choices: [{ delta: other }] }, 'data: [DONE]\n\n'),
  }),
  'a response': ({ text, args }) => ({
    target: '/v1/responses',
    answer: { object: 'response', output: [{ content: [{ text }], action: args }] },
  }),
  'a stream of a response': ({ text, args }, other) => ({
    target: '/v1/responses',
    type: SSE,
    answer: events(
      { type: 'response.created', response: {} },
      { type: 'response.output_item.done', item: { text, action: args } },
      { type: 'response.completed', response: { usage: null, output: [{ action: other.args, text: other.text }] } },
    ),
  }),
  'a message': ({ text, args }) => ({
    target: '/v1/messages',
    answer: { type: 'message', role: 'assistant', content: [{ text }, { type: 'tool_use', input: args }] },
  }),
  'a stream of a message': ({ args }, other) => ({
    target: '/v1/messages',
    type: SSE,
    answer: events(
      { type: 'message_start', message: { role: 'assistant' } },
      { type: 'content_block_start', content_block: { input: args } },
      { type: 'content_block_start', content_block: { input: other.args } },
      { type: 'message_stop' },
    ),
  }),
  Gemini: ({ text, args }) => ({
    target: `${GEMINI}:generateContent`,
    answer: { candidates: [{ content: { parts: [{ text }, { functionCall: { args } }] } }] },
  }),
  'a stream of Gemini': ({ text, args }, other) => ({
    target: `${GEMINI}:streamGenerateContent`,
    type: SSE,
    answer: events({ candidates: [{ parts: [{ text, args }] }] }, { candidates: [{ parts: [other] }] }),
  }),
  'an array of Gemini': ({ text, args }, other) => ({
    target: `${GEMINI}:streamGenerateContent`,
    answer: [{ candidates: [{ parts: [{ text, args }] }] }, { candidates: [{ parts: [other] }] }],
  }),
  'an interaction': ({ text, args }) => ({
    target: '/v1beta/interactions',
    answer: { object: 'interaction', outputs: [{ arguments: args }, { text }] },
  }),
  converse: ({ text, args }) => ({
    target: '/model/m/converse',
    answer: { output: { message: { content: [{ toolUse: { input: args } }, { text }] } } },
  }),
  Cohere: ({ text, args }) => ({
    target: '/v2/chat',
    answer: { message: { content: [{ text }], tool_calls: [args] } },
  }),
  'lines of Ollama': ({ text, args }, other) => ({
    target: '/api/chat',
    type: 'application/x-ndjson',
    answer: [{ text, args }, other].map((message) => `${JSON.stringify({ message, done: false })}\n`).join(''),
  }),
}

describe('what a model writes is not usage', () => {
  for (const [name, answerOf] of Object.entries(ANSWERS)) {
    test(`in ${name}`, async () => {
      for (let seed = 1; seed <= 100; seed++) {
        const { answer, ...one } = answerOf(written(seed), written(seed + 1_000))
        const isList = Array.isArray(answer) && typeof answer[0] === 'string'
        const text = isList ? answer.join('') : typeof answer === 'string' ? answer : JSON.stringify(answer)
        for (const share of [1, 0.99, 0.9, 0.5]) {
          const how = share === 1 ? 'complete' : 'broken'
          const usage = await play({ ...one, answer: text.slice(0, text.length * share), how })
          assert.doesNotMatch(JSON.stringify(usage), /666|forged|"bug"/, `seed ${seed}, ${share}`)
        }
      }
    })
  }
})
