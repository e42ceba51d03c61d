/** The stand-in as Google's own client sees it. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ApiError, FunctionCallingConfigMode, type GenerateContentParameters, GoogleGenAI, Type } from '@google/genai'
import { STAND_IN_KEY, startStandIn } from '../../../../src/tools/stand-in/stand-in.ts'
import { collect } from './collect.ts'

const standIn = await startStandIn({ tokenDelayMs: 2 })
after(() => standIn.close())

const baseUrl = `http://127.0.0.1:${standIn.port}`
const clientWith = (apiKey: string, apiVersion?: string) =>
  new GoogleGenAI({ apiKey, httpOptions: { baseUrl, ...(apiVersion === undefined ? {} : { apiVersion }) } })
const client = clientWith(STAND_IN_KEY)
const hello: GenerateContentParameters = { model: 'gemini-x', contents: 'hello there' }
const weather = {
  name: 'get_weather',
  parameters: { type: Type.OBJECT, properties: { city: { type: Type.STRING } }, required: ['city'] },
}

test('lists its models, in v1 and in v1beta', async () => {
  for (const version of ['v1', 'v1beta']) {
    const models = await collect(await clientWith(STAND_IN_KEY, version).models.list())
    assert.ok(
      models.some((model) => model.name === 'models/stand-in-1' && model.supportedActions?.includes('countTokens')),
    )
    assert.equal(standIn.requests.at(-1)?.path, `/${version}/models`)
  }
  assert.equal((await client.models.get({ model: 'stand-in-1' })).displayName, 'stand-in-1')
})

test('generates content, the same to the same request', async () => {
  const config = { systemInstruction: 'be very nice' }
  const response = await client.models.generateContent({ ...hello, config })
  assert.match(response.text ?? '', /^You said: hello there\n\nThis is the stand-in provider/)
  assert.equal(response.candidates?.[0]?.finishReason, 'STOP')
  assert.equal(response.usageMetadata?.promptTokenCount, 5)
  assert.equal(response.usageMetadata?.candidatesTokenCount, response.text?.split(/\s+/).length)
  assert.equal(response.modelVersion, 'gemini-x')
  assert.equal((await client.models.generateContent({ ...hello, config })).text, response.text)
  const short = await client.models.generateContent({ ...hello, config: { maxOutputTokens: 2 } })
  assert.deepEqual([short.text, short.candidates?.[0]?.finishReason], ['You said: ', 'MAX_TOKENS'])
})

test('streams content token by token, with a usage that grows', async () => {
  const whole = await client.models.generateContent(hello)
  const chunks = await collect(await client.models.generateContentStream(hello))
  assert.equal(chunks.map((chunk) => chunk.text).join(''), whole.text)
  assert.deepEqual(
    chunks.map((chunk) => chunk.usageMetadata?.candidatesTokenCount),
    chunks.map((_, index) => index + 1),
  )
  assert.deepEqual(chunks.at(-1)?.usageMetadata, whole.usageMetadata)
  assert.deepEqual(
    chunks.map((chunk) => chunk.candidates?.[0]?.finishReason),
    [...chunks.slice(1).map(() => undefined), 'STOP'],
  )
})

test('streams a JSON array without alt=sse, as curl users see it', async () => {
  const response = await fetch(`${baseUrl}/v1beta/models/stand-in-1:streamGenerateContent`, {
    method: 'POST',
    headers: { 'x-goog-api-key': STAND_IN_KEY },
    body: JSON.stringify({
      contents: [{ parts: [{ text: 'hello there' }] }],
      generation_config: { max_output_tokens: 3 },
    }),
  })
  assert.equal(response.headers.get('content-type'), 'application/json')
  const items = (await response.json()) as { candidates: { content: { parts: { text: string }[] } }[] }[]
  assert.deepEqual(
    items.map((item) => item.candidates[0]?.content.parts[0]?.text),
    ['You ', 'said: ', 'hello '],
  )
})

test('calls a function, whole and streamed, and reads its response', async () => {
  const ask = {
    model: 'stand-in-1',
    contents: 'call get_weather',
    config: { tools: [{ functionDeclarations: [weather] }] },
  }
  const streamed = await collect(await client.models.generateContentStream(ask))
  for (const response of [await client.models.generateContent(ask), streamed.at(-1)]) {
    const call = response?.functionCalls?.[0]
    assert.deepEqual([call?.name, call?.args], ['get_weather', { city: 'stand-in' }])
  }
  const parts = [{ functionResponse: { name: 'get_weather', response: { sky: 'blue' } } }]
  const next = await client.models.generateContent({ ...ask, contents: [{ role: 'user', parts }] })
  assert.match(next.text ?? '', /^The tool answered: \{"sky":"blue"\}\n/)
  const toolConfig = { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY } }
  const forced = await client.models.generateContent({ ...ask, contents: 'hi', config: { ...ask.config, toolConfig } })
  assert.equal(forced.functionCalls?.length, 1)
})

test('counts tokens', async () => {
  assert.equal((await client.models.countTokens({ model: 'stand-in-1', contents: 'one two three' })).totalTokens, 3)
})

test('refuses in words that the client understands', async () => {
  const statusOf = async (call: Promise<unknown>) => {
    const error = await call.then(
      () => assert.fail('was not refused'),
      (reason: unknown) => reason,
    )
    assert.ok(error instanceof ApiError)
    return [error.status, (JSON.parse(error.message) as { error: { status: string } }).error.status]
  }
  const ask = (model: string) => statusOf(client.models.generateContent({ ...hello, model }))
  assert.deepEqual(await ask('stand-in-404'), [404, 'NOT_FOUND'])
  assert.deepEqual(await ask('stand-in-429'), [429, 'RESOURCE_EXHAUSTED'])
  assert.deepEqual(await ask('stand-in-500'), [500, 'INTERNAL'])
  assert.deepEqual(await ask('stand-in-529'), [529, 'UNAVAILABLE'])
  assert.deepEqual(await statusOf(clientWith('wrong').models.list()), [401, 'UNAUTHENTICATED'])
  assert.deepEqual(await statusOf(client.models.embedContent({ model: 'stand-in-1', contents: 'x' })), [
    404,
    'NOT_FOUND',
  ])
})

test('tells how long to wait', async () => {
  const error = await client.models
    .generateContent({ ...hello, model: 'stand-in-429' })
    .catch((reason: unknown) => reason)
  assert.ok(error instanceof ApiError)
  assert.match(error.message, /"@type":"type.googleapis.com\/google.rpc.RetryInfo","retryDelay":"1s"/)
})

test('notices a client that aborts', async () => {
  const controller = new AbortController()
  const config = { abortSignal: controller.signal }
  const stream = await client.models.generateContentStream({ ...hello, model: 'stand-in-slow', config })
  await assert.rejects(async () => {
    for await (const _ of stream) controller.abort()
  })
  const record = standIn.requests.at(-1)
  await record?.ended
  assert.deepEqual([record?.aborted, record?.completed], [true, false])
})
