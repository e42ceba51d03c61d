/** Anthropic's own client through the gateway. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import Anthropic, {
  AuthenticationError,
  InternalServerError,
  NotFoundError,
  OverloadedError,
  RateLimitError,
} from '@anthropic-ai/sdk'
import { FAILURES } from '../../src/failure.ts'
import { STAND_IN_KEY, startStandIn } from '../../src/tools/stand-in/stand-in.ts'
import { within } from '../support/deadline.ts'
import { CLIENT_KEY, startGateway } from '../support/gateway.ts'

const TOKEN_DELAY_MS = 20
const standIn = await startStandIn({ tokenDelayMs: TOKEN_DELAY_MS })
const gateway = await startGateway({
  upstreams: {
    anthropic: { request_path: '/anthropic', target_url: `http://127.0.0.1:${standIn.port}`, api_key: STAND_IN_KEY },
    down: { request_path: '/down', target_url: 'http://127.0.0.1:1', api_key: STAND_IN_KEY },
  },
})
after(async () => {
  await gateway.stop()
  await standIn.close()
})

function clientOf(baseURL: string, apiKey: string): Anthropic {
  return new Anthropic({ baseURL, apiKey, maxRetries: 0 })
}

const client = clientOf(`${gateway.url}/anthropic`, CLIENT_KEY)
const direct = clientOf(`http://127.0.0.1:${standIn.port}`, STAND_IN_KEY)
const hello = { model: 'stand-in-1', max_tokens: 100, messages: [{ role: 'user' as const, content: 'hello there' }] }

test('models, messages, token counts: the answers are those of the provider', async () => {
  const { model, messages } = hello
  assert.deepEqual((await client.models.list()).data, (await direct.models.list()).data)
  assert.deepEqual(await client.messages.create(hello), await direct.messages.create(hello))
  assert.equal((await client.messages.countTokens({ model, messages })).input_tokens, 2)
})

test('the provider gets its key where the client had put its own', async () => {
  const older = new Anthropic({
    baseURL: `${gateway.url}/anthropic`,
    apiKey: CLIENT_KEY,
    defaultHeaders: { authorization: null, 'x-api-key': CLIENT_KEY },
    maxRetries: 0,
  })
  for (const [from, name] of [
    [client, 'authorization'],
    [older, 'x-api-key'],
  ] as const) {
    await from.models.list()
    const names = standIn.requests.at(-1)?.headerNames.filter((field) => /^(authorization|.*-key)$/.test(field))
    assert.deepEqual(names, [name])
  }
})

test('the tokens of a stream arrive one by one', async () => {
  const arrivals: number[] = []
  const stream = client.messages.stream(hello)
  stream.on('text', () => arrivals.push(performance.now()))
  let isEarly: boolean | undefined
  stream.once('text', () => {
    isEarly = standIn.requests.at(-1)?.completed === false
  })
  const final = await stream.finalMessage()
  assert.equal(isEarly, true)
  assert.deepEqual(final.content, (await direct.messages.create(hello)).content)
  assert.equal(arrivals.length, final.usage.output_tokens)
  const elapsed = (arrivals.at(-1) ?? 0) - (arrivals[0] ?? 0)
  assert.ok(elapsed > ((arrivals.length - 1) * TOKEN_DELAY_MS) / 2, `${arrivals.length} tokens within ${elapsed} ms`)
})

test('a streamed use of a tool makes sense to the client', async () => {
  const input_schema = { type: 'object' as const, properties: { city: { type: 'string' } } }
  const messages = [{ role: 'user' as const, content: 'call get_weather' }]
  const tools = [{ name: 'get_weather', input_schema }]
  const block = (await client.messages.stream({ ...hello, messages, tools }).finalMessage()).content[0]
  assert.deepEqual(block?.type === 'tool_use' && block.input, { city: 'stand-in' })
})

test('when the client leaves in the middle, the provider is told', async () => {
  const stream = client.messages.stream({ ...hello, model: 'stand-in-slow' })
  stream.once('text', () => stream.abort())
  await assert.rejects(stream.done(), Anthropic.APIUserAbortError)
  const record = standIn.requests.at(-1)
  assert.ok(record)
  await within(record.ended, 'the end of the cancelled request', 2000)
  assert.deepEqual([record.aborted, record.completed], [true, false])
  await gateway.waitForRecord((logged) => logged.outcome === 'client_abort')
})

test('a stream that the provider breaks off does not look whole', async () => {
  const stream = await client.messages.create({ ...hello, model: 'stand-in-cut', stream: true })
  let tokens = 0
  await assert.rejects(async () => {
    for await (const event of stream) tokens += event.type === 'content_block_delta' ? 1 : 0
  })
  assert.ok(tokens > 2, `${tokens} tokens before the end`)
  await gateway.waitForRecord((logged) => logged.outcome === 'upstream_abort')
})

test('a wrong key is an AuthenticationError of ours, and the provider sees nothing', async () => {
  const seen = standIn.requests.length
  for (const key of ['wrong', STAND_IN_KEY]) {
    await assert.rejects(clientOf(`${gateway.url}/anthropic`, key).messages.create(hello), (error) => {
      assert.ok(error instanceof AuthenticationError)
      assert.equal(error.message, `401 fluxgate: ${FAILURES.unauthorized.message}`)
      assert.deepEqual(
        [error.type, error.apiMessage],
        ['authentication_error', `fluxgate: ${FAILURES.unauthorized.message}`],
      )
      assert.ok(error.headers.has('x-fluxgate-error'))
      return true
    })
  }
  assert.equal(standIn.requests.length, seen)
})

test('an unknown path is a NotFoundError of ours, and the provider sees nothing', async () => {
  const seen = standIn.requests.length
  await assert.rejects(clientOf(`${gateway.url}/anthropic-evil`, CLIENT_KEY).models.list(), (error) => {
    assert.ok(error instanceof NotFoundError)
    assert.equal(error.message, `404 fluxgate: ${FAILURES.no_route.message} Open to you: /anthropic, /down`)
    return true
  })
  assert.equal(standIn.requests.length, seen)
})

test('a provider that is down is an InternalServerError of ours', async () => {
  await assert.rejects(clientOf(`${gateway.url}/down`, CLIENT_KEY).messages.create(hello), (error) => {
    assert.ok(error instanceof InternalServerError)
    assert.equal(error.message, `502 fluxgate: ${FAILURES.connect_refused.message}`)
    assert.equal(error.type, 'api_error')
    return true
  })
})

test("the provider's own errors are the provider's", async () => {
  const classes = { 404: NotFoundError, 429: RateLimitError, 500: InternalServerError, 529: OverloadedError }
  for (const [status, expected] of Object.entries(classes)) {
    const request = { ...hello, model: `stand-in-${status}` }
    const own = await direct.messages.create(request).catch((error: unknown) => error)
    await assert.rejects(client.messages.create(request), (error) => {
      assert.ok(error instanceof expected && own instanceof expected)
      assert.deepEqual([error.status, error.type, error.apiMessage], [Number(status), own.type, own.apiMessage])
      assert.equal(error.headers.get('retry-after'), own.headers.get('retry-after'))
      assert.match(error.requestID ?? '', /^req_\d+$/)
      assert.equal(error.headers.has('x-fluxgate-error'), false)
      return true
    })
  }
})
