/** The stand-in as OpenAI's own client sees it. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import OpenAI, {
  APIError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  RateLimitError,
} from 'openai'
import { STAND_IN_KEY, startStandIn } from '../../../../src/tools/stand-in/stand-in.ts'
import { collect } from './collect.ts'

const TOKEN_DELAY_MS = 4
const standIn = await startStandIn({ tokenDelayMs: TOKEN_DELAY_MS })
after(() => standIn.close())

const baseURL = `http://127.0.0.1:${standIn.port}/v1`
const client = new OpenAI({ apiKey: STAND_IN_KEY, baseURL, maxRetries: 0 })
const hello = [{ role: 'user' as const, content: 'hello there' }]
const weather = {
  name: 'get_weather',
  parameters: {
    type: 'object',
    properties: { city: { type: 'string' }, unit: { enum: ['celsius', 'kelvin'] }, days: { type: 'integer' } },
    required: ['city', 'unit'],
  },
}
const weatherTool = { type: 'function' as const, function: weather }
const WEATHER_ARGUMENTS = { city: 'stand-in', unit: 'celsius' }

test('lists its models and retrieves one', async () => {
  const ids = (await collect(client.models.list())).map((model) => model.id)
  assert.ok(ids.includes('stand-in-1') && ids.includes('stand-in-429'))
  assert.equal((await client.models.retrieve('stand-in-1')).object, 'model')
  await assert.rejects(
    client.models.retrieve('gpt-0'),
    (error) => error instanceof NotFoundError && error.code === 'model_not_found',
  )
})

test('answers a chat completion, the same one to the same request', async () => {
  const create = () => client.chat.completions.create({ model: 'gpt-5', messages: hello })
  const completion = await create()
  const choice = completion.choices[0]
  assert.match(choice?.message.content ?? '', /^You said: hello there\n\nThis is the stand-in provider/)
  assert.equal(choice?.finish_reason, 'stop')
  assert.equal(completion.model, 'gpt-5')
  const words = choice?.message.content?.split(/\s+/).length ?? 0
  assert.equal(completion.usage?.prompt_tokens, 2)
  assert.equal(completion.usage?.completion_tokens, words)
  assert.equal(completion.usage?.total_tokens, 2 + words)
  assert.deepEqual(await create(), completion)
})

test('reads messages in parts and stops at max_tokens', async () => {
  const content = [
    { type: 'text' as const, text: 'a reminder' },
    { type: 'text' as const, text: 'good morning' },
  ]
  const messages = [
    { role: 'system' as const, content: 'be brief' },
    { role: 'user' as const, content },
  ]
  const completion = await client.chat.completions.create({ model: 'stand-in-1', messages, max_tokens: 3 })
  assert.equal(completion.choices[0]?.message.content, 'You said: good ')
  assert.equal(completion.choices[0]?.finish_reason, 'length')
  assert.deepEqual([completion.usage?.prompt_tokens, completion.usage?.completion_tokens], [6, 3])
})

test('streams a chat completion token by token, with usage when asked', async () => {
  const whole = await client.chat.completions.create({ model: 'stand-in-1', messages: hello })
  const stream = await client.chat.completions.create({
    model: 'stand-in-1',
    messages: hello,
    stream: true,
    stream_options: { include_usage: true },
  })
  const arrivals: number[] = []
  let text = ''
  let chunks = 0
  for await (const chunk of stream) {
    const delta = chunk.choices[0]?.delta
    if (chunks++ === 0) assert.equal(delta?.role, 'assistant')
    if (delta?.content) arrivals.push(performance.now())
    text += delta?.content ?? ''
    if (chunk.choices.length === 0) assert.deepEqual(chunk.usage, whole.usage)
    else assert.equal(chunk.usage, null)
  }
  assert.equal(text, whole.choices[0]?.message.content)
  assert.equal(arrivals.length, whole.usage?.completion_tokens)
  // A timer may fire a millisecond early, and never all of them in one go.
  const elapsed = (arrivals.at(-1) ?? 0) - (arrivals[0] ?? 0)
  assert.ok(elapsed >= (arrivals.length - 1) * (TOKEN_DELAY_MS - 1), `all tokens within ${elapsed} ms`)
})

test('sends no usage in a stream unless asked, and ends it with [DONE]', async () => {
  const response = await client.chat.completions
    .create({ model: 'stand-in-1', messages: hello, stream: true })
    .asResponse()
  const body = await response.text()
  assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/)
  assert.ok(body.endsWith('data: [DONE]\n\n'))
  assert.doesNotMatch(body, /usage/)
})

test('calls a tool when the user asks for it, and reads its answer', async () => {
  const question = { role: 'user' as const, content: 'please call get_weather' }
  const request = { model: 'stand-in-1', messages: [question], tools: [weatherTool] }
  const completion = await client.chat.completions.create(request)
  const message = completion.choices[0]?.message
  const call = message?.tool_calls?.[0]
  assert.equal(completion.choices[0]?.finish_reason, 'tool_calls')
  assert.ok(message && call?.type === 'function')
  assert.equal(call.function.name, 'get_weather')
  assert.deepEqual(JSON.parse(call.function.arguments), WEATHER_ARGUMENTS)

  const result = { role: 'tool' as const, tool_call_id: call.id, content: 'sunny tool weather' }
  const next = await client.chat.completions.create({ ...request, messages: [question, message, result] })
  assert.match(next.choices[0]?.message.content ?? '', /^The tool answered: sunny tool weather\n/)
})

test('calls no tool that nobody asked for, and the one that is forced', async () => {
  const request = { model: 'stand-in-1', messages: hello, tools: [weatherTool] }
  const free = await client.chat.completions.create(request)
  assert.equal(free.choices[0]?.finish_reason, 'stop')
  const forced = await client.chat.completions.create({ ...request, tool_choice: 'required' })
  assert.equal(forced.choices[0]?.finish_reason, 'tool_calls')
  const messages = [{ role: 'user' as const, content: 'use a tool' }]
  const forbidden = await client.chat.completions.create({ ...request, messages, tool_choice: 'none' })
  assert.equal(forbidden.choices[0]?.finish_reason, 'stop')
})

test('streams a tool call in pieces that the client can put together', async () => {
  const messages = [{ role: 'user' as const, content: 'use a tool' }]
  const stream = client.chat.completions.stream({ model: 'stand-in-1', messages, tools: [weatherTool] })
  let pieces = 0
  stream.on('tool_calls.function.arguments.delta', () => pieces++)
  const call = (await stream.finalMessage()).tool_calls?.[0]
  assert.ok(call?.type === 'function')
  assert.deepEqual(JSON.parse(call.function.arguments), WEATHER_ARGUMENTS)
  assert.ok(pieces > 2)
})

test('answers with a response, whole and cut off', async () => {
  const request = { model: 'stand-in-1', instructions: 'be nice', input: 'hello there' }
  const response = await client.responses.create(request)
  assert.match(response.output_text, /^You said: hello there\n/)
  assert.equal(response.status, 'completed')
  assert.equal(response.usage?.input_tokens, 4)
  const short = await client.responses.create({ ...request, max_output_tokens: 2 })
  assert.deepEqual([short.output_text, short.incomplete_details?.reason], ['You said: ', 'max_output_tokens'])
})

test('streams a response as typed events in sequence', async () => {
  const request = { model: 'stand-in-1', input: [{ role: 'user' as const, content: 'hello there' }] }
  const events = await collect(await client.responses.create({ ...request, stream: true }))
  assert.deepEqual(
    events.map((event) => event.sequence_number),
    events.map((_, index) => index),
  )
  const types = events.map((event) => event.type).filter((type, index, all) => type !== all[index - 1])
  assert.deepEqual(types, [
    'response.created',
    'response.in_progress',
    'response.output_item.added',
    'response.content_part.added',
    'response.output_text.delta',
    'response.output_text.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.completed',
  ])
  // The client's own accumulator checks that the events make sense together.
  const final = await client.responses.stream(request).finalResponse()
  assert.match(final.output_text, /^You said: hello there\n/)
})

test('calls a function in a response, whole and streamed', async () => {
  const tools = [{ type: 'function' as const, strict: false, ...weather }]
  const request = { model: 'stand-in-1', input: 'call get_weather, please', tools }
  for (const response of [
    await client.responses.create(request),
    await client.responses.stream(request).finalResponse(),
  ]) {
    const call = response.output[0]
    assert.ok(call?.type === 'function_call')
    assert.deepEqual(JSON.parse(call.arguments), WEATHER_ARGUMENTS)
    const output = { type: 'function_call_output' as const, call_id: call.call_id, output: 'sunny' }
    const next = await client.responses.create({ ...request, input: [output] })
    assert.match(next.output_text, /^The tool answered: sunny\n/)
  }
})

test('embeds texts as unit vectors, the same in both encodings', async () => {
  const request = { model: 'stand-in-1', input: ['one two', 'three'], dimensions: 24 }
  const binary = await client.embeddings.create(request)
  const plain = await client.embeddings.create({ ...request, encoding_format: 'float' })
  const [first, second] = binary.data.map((item) => [...item.embedding])
  assert.equal(first?.length, 24)
  assert.notDeepEqual(first, second)
  assert.ok(Math.abs(Math.hypot(...(first ?? [])) - 1) < 1e-6)
  assert.deepEqual(first, plain.data[0]?.embedding)
  assert.equal(binary.usage.prompt_tokens, 3)
})

test('takes a file and counts its bytes', async () => {
  const content = Buffer.concat([Buffer.from([0, 13, 10, 45, 45, 255]), Buffer.alloc(300_000, 'x')])
  const file = await client.files.create({ file: new File([content], 'a b.bin'), purpose: 'user_data' })
  assert.deepEqual([file.bytes, file.filename, file.purpose], [content.length, 'a b.bin', 'user_data'])
})

test('refuses in words that the client understands', async () => {
  const ask = (model: string) => client.chat.completions.create({ model, messages: hello })
  await assert.rejects(ask('stand-in-404'), NotFoundError)
  await assert.rejects(ask('stand-in-500'), InternalServerError)
  await assert.rejects(ask('stand-in-529'), (error) => error instanceof InternalServerError && error.status === 529)
  await assert.rejects(ask('stand-in-429'), (error) => {
    assert.ok(error instanceof RateLimitError)
    assert.match(error.message, /^429 Rate limit reached\./)
    assert.deepEqual([error.code, error.type], ['rate_limit_exceeded', 'requests'])
    assert.deepEqual([error.headers.get('retry-after'), error.headers.get('retry-after-ms')], ['1', '1000'])
    assert.match(error.requestID ?? '', /^req_\d+$/)
    return true
  })
  await assert.rejects(client.chat.completions.create({ model: 'stand-in-1', messages: [] }), BadRequestError)
  await assert.rejects(
    client.get('/nowhere'),
    (error) => error instanceof NotFoundError && /GET \/v1\/nowhere/.test(error.message),
  )
  await assert.rejects(new OpenAI({ apiKey: 'wrong', baseURL, maxRetries: 0 }).models.list(), AuthenticationError)
})

test('breaks off where it is told to, and says that it was not the client', async () => {
  const ask = { model: 'stand-in-cut', messages: hello }
  const stream = await client.chat.completions.create({ ...ask, stream: true })
  let tokens = 0
  await assert.rejects(async () => {
    for await (const chunk of stream) tokens += chunk.choices[0]?.delta.content ? 1 : 0
  })
  assert.ok(tokens > 2, `${tokens} tokens`)
  const record = standIn.requests.at(-1)
  await record?.ended
  assert.deepEqual([record?.aborted, record?.completed], [false, false])
  await assert.rejects(client.chat.completions.create(ask), (error) => !(error instanceof APIError && error.status))
})

test('notices a client that leaves in the middle', async () => {
  const stream = await client.chat.completions.create({ model: 'stand-in-slow', messages: hello, stream: true })
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break
  const record = standIn.requests.at(-1)
  await record?.ended
  assert.deepEqual([record?.aborted, record?.completed], [true, false])
})
