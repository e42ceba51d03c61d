/** OpenAI's own client through the gateway. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import OpenAI, { AuthenticationError, InternalServerError, NotFoundError, RateLimitError } from 'openai'
import { FAILURES } from '../../src/failure.ts'
import { STAND_IN_KEY, startStandIn } from '../../src/tools/stand-in/stand-in.ts'
import { within } from '../support/deadline.ts'
import { CLIENT_KEY, startGateway } from '../support/gateway.ts'

const TOKEN_DELAY_MS = 20
const standIn = await startStandIn({ tokenDelayMs: TOKEN_DELAY_MS })
const gateway = await startGateway({
  upstreams: {
    openai: { request_path: '/openai', target_url: `http://127.0.0.1:${standIn.port}`, api_key: STAND_IN_KEY },
    down: { request_path: '/down', target_url: 'http://127.0.0.1:1', api_key: STAND_IN_KEY },
  },
})
after(async () => {
  await gateway.stop()
  await standIn.close()
})

function clientOf(baseURL: string, apiKey: string): OpenAI {
  return new OpenAI({ baseURL, apiKey, maxRetries: 0 })
}

const client = clientOf(`${gateway.url}/openai/v1`, CLIENT_KEY)
const direct = clientOf(`http://127.0.0.1:${standIn.port}/v1`, STAND_IN_KEY)
const hello = { model: 'stand-in-1', messages: [{ role: 'user' as const, content: 'hello there' }] }

test('models, completions, embeddings: the answers are those of the provider', async () => {
  assert.deepEqual((await client.models.list()).data, (await direct.models.list()).data)
  assert.deepEqual(await client.chat.completions.create(hello), await direct.chat.completions.create(hello))
  const question = { model: 'stand-in-1', input: 'hello there' }
  assert.deepEqual(await client.responses.create(question), await direct.responses.create(question))
  assert.deepEqual(await client.embeddings.create(question), await direct.embeddings.create(question))
})

test('a file arrives byte for byte', async () => {
  const content = Buffer.alloc(3_000_000, 'content\r\n')
  const upload = async (to: OpenAI) => to.files.create({ file: new File([content], 'a.bin'), purpose: 'user_data' })
  const file = await upload(client)
  assert.equal(file.bytes, content.length)
  assert.equal(file.id, (await upload(direct)).id) // Its id is a digest of its content.
})

test('the tokens of a stream arrive one by one', async () => {
  const stream = await client.chat.completions.create({
    ...hello,
    stream: true,
    stream_options: { include_usage: true },
  })
  const arrivals: number[] = []
  let text = ''
  let tokens: number | undefined
  for await (const chunk of stream) {
    const token = chunk.choices[0]?.delta.content
    if (token) arrivals.push(performance.now())
    if (arrivals.length === 1) assert.equal(standIn.requests.at(-1)?.completed, false)
    text += token ?? ''
    tokens = chunk.usage?.completion_tokens
  }
  assert.match(text, /^You said: hello there\n/)
  assert.equal(arrivals.length, tokens)
  const elapsed = (arrivals.at(-1) ?? 0) - (arrivals[0] ?? 0)
  assert.ok(elapsed > ((arrivals.length - 1) * TOKEN_DELAY_MS) / 2, `${arrivals.length} tokens within ${elapsed} ms`)
  const record = standIn.requests.at(-1)
  await record?.ended
  // This client leaves right after [DONE]: no reason to cancel anything.
  assert.deepEqual([record?.completed, record?.aborted], [true, false])
})

test('streamed events and tool calls make sense to the client', async () => {
  const parameters = { type: 'object', properties: { city: { type: 'string' } } }
  const tools = [{ type: 'function' as const, function: { name: 'get_weather', parameters } }]
  const messages = [{ role: 'user' as const, content: 'call get_weather' }]
  const message = await client.chat.completions.stream({ model: 'stand-in-1', messages, tools }).finalMessage()
  const call = message.tool_calls?.[0]
  assert.deepEqual(call?.type === 'function' && JSON.parse(call.function.arguments), { city: 'stand-in' })
  const response = await client.responses.stream({ model: 'stand-in-1', input: 'hello there' }).finalResponse()
  assert.match(response.output_text, /^You said: hello there\n/)
})

test('when the client leaves in the middle, the provider is told', async () => {
  const stream = await client.chat.completions.create({ ...hello, model: 'stand-in-slow', stream: true })
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break
  const record = standIn.requests.at(-1)
  assert.ok(record)
  await within(record.ended, 'the end of the cancelled request', 2000)
  assert.deepEqual([record.aborted, record.completed], [true, false])
  await gateway.waitForRecord((logged) => logged.outcome === 'client_abort')
})

test('a stream that the provider breaks off does not look whole', async () => {
  const stream = await client.chat.completions.create({ ...hello, model: 'stand-in-cut', stream: true })
  let tokens = 0
  await assert.rejects(async () => {
    for await (const chunk of stream) tokens += chunk.choices[0]?.delta.content ? 1 : 0
  })
  assert.ok(tokens > 2, `${tokens} tokens before the end`)
  await gateway.waitForRecord((logged) => logged.outcome === 'upstream_abort')
})

test('a wrong key is an AuthenticationError of ours, and the provider sees nothing', async () => {
  const seen = standIn.requests.length
  for (const key of ['wrong', STAND_IN_KEY]) {
    await assert.rejects(clientOf(`${gateway.url}/openai/v1`, key).chat.completions.create(hello), (error) => {
      assert.ok(error instanceof AuthenticationError)
      assert.equal(error.message, `401 fluxgate: ${FAILURES.unauthorized.message}`)
      assert.equal(error.type, 'authentication_error')
      assert.ok(error.headers.has('x-fluxgate-error'))
      return true
    })
  }
  assert.equal(standIn.requests.length, seen)
})

test('an unknown path is a NotFoundError of ours, and the provider sees nothing', async () => {
  const seen = standIn.requests.length
  await assert.rejects(clientOf(`${gateway.url}/openai-evil/v1`, CLIENT_KEY).models.list(), (error) => {
    assert.ok(error instanceof NotFoundError)
    assert.equal(error.message, `404 fluxgate: ${FAILURES.no_route.message} Open to you: /openai, /down`)
    return true
  })
  assert.equal(standIn.requests.length, seen)
})

test('a provider that is down is an InternalServerError of ours', async () => {
  await assert.rejects(clientOf(`${gateway.url}/down/v1`, CLIENT_KEY).chat.completions.create(hello), (error) => {
    assert.ok(error instanceof InternalServerError)
    assert.equal(error.status, 502)
    assert.equal(error.message, `502 fluxgate: ${FAILURES.connect_refused.message}`)
    return true
  })
})

test("the provider's own errors are the provider's", async () => {
  const classes = { 404: NotFoundError, 429: RateLimitError, 500: InternalServerError, 529: InternalServerError }
  for (const [status, expected] of Object.entries(classes)) {
    const request = { ...hello, model: `stand-in-${status}` }
    const own = await direct.chat.completions.create(request).catch((error: unknown) => error)
    await assert.rejects(client.chat.completions.create(request), (error) => {
      assert.ok(error instanceof expected && own instanceof expected)
      assert.deepEqual([error.status, error.message, error.error], [Number(status), own.message, own.error])
      assert.equal(error.headers.get('retry-after-ms'), own.headers.get('retry-after-ms'))
      assert.equal(error.headers.has('x-fluxgate-error'), false)
      return true
    })
  }
})
