/** Google's own client through the gateway. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ApiError, type GenerateContentParameters, GoogleGenAI, Type } from '@google/genai'
import { FAILURES } from '../../src/failure.ts'
import { STAND_IN_KEY, startStandIn } from '../../src/tools/stand-in/stand-in.ts'
import { within } from '../support/deadline.ts'
import { CLIENT_KEY, startGateway } from '../support/gateway.ts'

const TOKEN_DELAY_MS = 20
const standIn = await startStandIn({ tokenDelayMs: TOKEN_DELAY_MS })
const gateway = await startGateway({
  upstreams: {
    gemini: { request_path: '/gemini', target_url: `http://127.0.0.1:${standIn.port}`, api_key: STAND_IN_KEY },
    down: { request_path: '/down', target_url: 'http://127.0.0.1:1', api_key: STAND_IN_KEY },
  },
})
after(async () => {
  await gateway.stop()
  await standIn.close()
})

function modelsAt(baseUrl: string, apiKey: string) {
  return new GoogleGenAI({ apiKey, httpOptions: { baseUrl } }).models
}

const models = modelsAt(`${gateway.url}/gemini`, CLIENT_KEY)
const direct = modelsAt(`http://127.0.0.1:${standIn.port}`, STAND_IN_KEY)
const hello: GenerateContentParameters = { model: 'stand-in-1', contents: 'hello there' }

/** Of an answer, what the client makes of its body: it adds the header fields, which have a date. */
function bodyOf(answer: { sdkHttpResponse?: unknown }): object {
  return { ...answer, sdkHttpResponse: undefined }
}

async function refusalOf(call: Promise<unknown>): Promise<{ status: number; body: { error: { message: string } } }> {
  const error = await call.then(
    () => assert.fail('was not refused'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof ApiError, String(error))
  return { status: error.status, body: JSON.parse(error.message) }
}

test('models, content, token counts: the answers are those of the provider', async () => {
  const names = async (from: typeof models) => (await from.list()).page.map((model) => model.name)
  assert.deepEqual(await names(models), await names(direct))
  assert.deepEqual(bodyOf(await models.generateContent(hello)), bodyOf(await direct.generateContent(hello)))
  assert.equal((await models.countTokens({ model: 'stand-in-1', contents: 'hello there' })).totalTokens, 2)
})

test('the tokens of a stream arrive one by one', async () => {
  const arrivals: number[] = []
  let text = ''
  let tokens: number | undefined
  for await (const chunk of await models.generateContentStream(hello)) {
    if (arrivals.push(performance.now()) === 1) assert.equal(standIn.requests.at(-1)?.completed, false)
    text += chunk.text
    tokens = chunk.usageMetadata?.candidatesTokenCount
  }
  assert.equal(text, (await direct.generateContent(hello)).text)
  assert.equal(arrivals.length, tokens)
  const elapsed = (arrivals.at(-1) ?? 0) - (arrivals[0] ?? 0)
  assert.ok(elapsed > ((arrivals.length - 1) * TOKEN_DELAY_MS) / 2, `${arrivals.length} tokens within ${elapsed} ms`)
})

test('a function call makes sense to the client', async () => {
  const parameters = { type: Type.OBJECT, properties: { city: { type: Type.STRING } } }
  const config = { tools: [{ functionDeclarations: [{ name: 'get_weather', parameters }] }] }
  const response = await models.generateContent({ model: 'stand-in-1', contents: 'call get_weather', config })
  assert.deepEqual(response.functionCalls?.[0]?.args, { city: 'stand-in' })
})

test('when the client leaves in the middle, the provider is told', async () => {
  const controller = new AbortController()
  const config = { abortSignal: controller.signal }
  const stream = await models.generateContentStream({ ...hello, model: 'stand-in-slow', config })
  await assert.rejects(async () => {
    for await (const _ of stream) controller.abort()
  })
  const record = standIn.requests.at(-1)
  assert.ok(record)
  await within(record.ended, 'the end of the cancelled request', 2000)
  assert.deepEqual([record.aborted, record.completed], [true, false])
  await gateway.waitForRecord((logged) => logged.outcome === 'client_abort')
})

test('a stream that the provider breaks off does not look whole', async () => {
  const stream = await models.generateContentStream({ ...hello, model: 'stand-in-cut' })
  let tokens = 0
  await assert.rejects(async () => {
    for await (const _ of stream) tokens++
  })
  assert.ok(tokens > 2, `${tokens} tokens before the end`)
  await gateway.waitForRecord((logged) => logged.outcome === 'upstream_abort')
})

test('a wrong key is a 401 of ours, and the provider sees nothing', async () => {
  const seen = standIn.requests.length
  for (const key of ['wrong', STAND_IN_KEY]) {
    const { status, body } = await refusalOf(modelsAt(`${gateway.url}/gemini`, key).generateContent(hello))
    assert.deepEqual([status, body.error.message], [401, `fluxgate: ${FAILURES.unauthorized.message}`])
  }
  assert.equal(standIn.requests.length, seen)
})

test('an unknown path is a 404 of ours, and the provider sees nothing', async () => {
  const seen = standIn.requests.length
  const { status, body } = await refusalOf(modelsAt(`${gateway.url}/gemini-evil`, CLIENT_KEY).generateContent(hello))
  assert.deepEqual(
    [status, body.error.message],
    [404, `fluxgate: ${FAILURES.no_route.message} Open to you: /gemini, /down`],
  )
  assert.equal(standIn.requests.length, seen)
})

test('a provider that is down is a 502 of ours', async () => {
  const { status, body } = await refusalOf(modelsAt(`${gateway.url}/down`, CLIENT_KEY).generateContent(hello))
  assert.deepEqual([status, body.error.message], [502, `fluxgate: ${FAILURES.connect_refused.message}`])
})

test("the provider's own errors are the provider's", async () => {
  for (const status of [404, 429, 500, 529]) {
    const request = { ...hello, model: `stand-in-${status}` }
    const relayed = await refusalOf(models.generateContent(request))
    assert.equal(relayed.status, status)
    assert.deepEqual(relayed, await refusalOf(direct.generateContent(request)))
  }
})
