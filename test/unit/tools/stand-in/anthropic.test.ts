/** The stand-in as Anthropic's own client sees it. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import Anthropic, {
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  OverloadedError,
  RateLimitError,
} from '@anthropic-ai/sdk'
import { STAND_IN_KEY, startStandIn } from '../../../../src/tools/stand-in/stand-in.ts'
import { collect } from './collect.ts'

const standIn = await startStandIn({ tokenDelayMs: 2 })
after(() => standIn.close())

const baseURL = `http://127.0.0.1:${standIn.port}`
const client = new Anthropic({ apiKey: STAND_IN_KEY, baseURL, maxRetries: 0 })
const hello = { model: 'claude-x', max_tokens: 100, messages: [{ role: 'user' as const, content: 'hello there' }] }
const weather = {
  name: 'get_weather',
  input_schema: { type: 'object' as const, properties: { city: { type: 'string' }, days: { type: 'integer' } } },
}
const question = { role: 'user' as const, content: 'please call get_weather' }

test('lists its models, also for a client that wants a thousand', async () => {
  const ids = (await collect(client.models.list({ limit: 1000 }))).map((model) => model.id)
  assert.ok(ids.includes('stand-in-1') && ids.includes('stand-in-529'))
  assert.equal((await client.models.retrieve('stand-in-1')).type, 'model')
  await assert.rejects(client.models.retrieve('claude-0'), NotFoundError)
})

test('answers a message, the same one to the same request', async () => {
  const message = await client.messages.create(hello)
  const block = message.content[0]
  assert.ok(block?.type === 'text')
  assert.match(block.text, /^You said: hello there\n\nThis is the stand-in provider/)
  assert.equal(message.stop_reason, 'end_turn')
  assert.deepEqual([message.usage.input_tokens, message.usage.output_tokens], [2, block.text.split(/\s+/).length])
  assert.deepEqual((await client.messages.create(hello)).content, message.content)
  const short = await client.messages.create({ ...hello, max_tokens: 1 })
  assert.deepEqual([short.stop_reason, short.usage.output_tokens], ['max_tokens', 1])
})

test('streams a message as the typed events of the API', async () => {
  const events = await collect(await client.messages.create({ ...hello, stream: true }))
  const types = events.map((event) => event.type).filter((type, index, all) => type !== all[index - 1])
  assert.deepEqual(types, [
    'message_start',
    'content_block_start',
    'content_block_delta',
    'content_block_stop',
    'message_delta',
    'message_stop',
  ])
  const whole = await client.messages.create(hello)
  const final = await client.messages.stream(hello).finalMessage()
  assert.deepEqual([final.content, final.usage], [whole.content, whole.usage])
  assert.equal(events.filter((event) => event.type === 'content_block_delta').length, whole.usage.output_tokens)
})

test('sends a ping in its streams, which the client swallows', async () => {
  const response = await client.messages.create({ ...hello, stream: true }).asResponse()
  assert.match(await response.text(), /\n\nevent: ping\ndata: \{"type":"ping"\}\n\n/)
})

test('uses a tool, whole and streamed, and reads its result', async () => {
  const request = { ...hello, messages: [question], tools: [weather] }
  for (const message of [await client.messages.create(request), await client.messages.stream(request).finalMessage()]) {
    const block = message.content[0]
    assert.equal(message.stop_reason, 'tool_use')
    assert.ok(block?.type === 'tool_use')
    assert.deepEqual([block.name, block.input], ['get_weather', { city: 'stand-in', days: 1 }])
    const result = {
      type: 'tool_result' as const,
      tool_use_id: block.id,
      content: [{ type: 'text' as const, text: 'sunny' }],
    }
    const messages = [
      question,
      { role: 'assistant' as const, content: [block] },
      { role: 'user' as const, content: [result] },
    ]
    const answer = (await client.messages.create({ ...request, messages })).content[0]
    assert.match(answer?.type === 'text' ? answer.text : '', /^The tool answered: sunny\n/)
  }
  const forced = await client.messages.create({ ...hello, tools: [weather], tool_choice: { type: 'any' } })
  assert.equal(forced.stop_reason, 'tool_use')
})

test('counts tokens', async () => {
  const { model, messages } = hello
  assert.equal((await client.messages.countTokens({ model, messages, system: 'three more words' })).input_tokens, 5)
})

test('refuses in words that the client understands', async () => {
  const ask = (model: string) => client.messages.create({ ...hello, model })
  await assert.rejects(ask('stand-in-404'), NotFoundError)
  await assert.rejects(ask('stand-in-500'), InternalServerError)
  await assert.rejects(ask('stand-in-529'), (error) => {
    assert.ok(error instanceof OverloadedError)
    assert.equal(error.type, 'overloaded_error')
    assert.equal(error.headers.get('retry-after'), '1')
    return true
  })
  await assert.rejects(ask('stand-in-429'), (error) => {
    assert.ok(error instanceof RateLimitError)
    assert.equal(error.type, 'rate_limit_error')
    assert.match(error.apiMessage ?? '', /^Rate limit reached\./)
    assert.match(error.requestID ?? '', /^req_\d+$/)
    return true
  })
  await assert.rejects(client.messages.create({ ...hello, messages: [] }), BadRequestError)
  await assert.rejects(client.get('/v1/nowhere'), NotFoundError)
  await assert.rejects(new Anthropic({ apiKey: 'wrong', baseURL, maxRetries: 0 }).models.list(), AuthenticationError)
})

test('notices a client that aborts', async () => {
  const stream = client.messages.stream({ ...hello, model: 'stand-in-slow' })
  stream.once('text', () => stream.abort())
  await assert.rejects(stream.done(), Anthropic.APIUserAbortError)
  const record = standIn.requests.at(-1)
  await record?.ended
  assert.deepEqual([record?.aborted, record?.completed], [true, false])
})
