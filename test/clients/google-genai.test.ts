/** Google's own client for the Gemini API: its key is in `x-goog-api-key`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, GoogleGenAI, type HttpRetryOptions, Type } from '@google/genai'
import { FAILURES } from '../../src/failure.ts'
import { CLIENT_KEY, PROVIDER_KEY } from '../support/gateway.ts'
import * as wire from './gemini-wire.ts'
import { collect, refusalText, startParity, type Target } from './parity.ts'
import { compressible, type Script } from './scripted-origin.ts'

const UPLOAD_BYTES = 25 * 1024 * 1024

const parity = await startParity()
const question = { model: 'gemini-4-pro', contents: 'Grüß Gott 👋' }
const properties = { city: { type: Type.STRING }, unit: { type: Type.STRING } }
const tools = [{ functionDeclarations: [{ name: 'get_weather', parameters: { type: Type.OBJECT, properties } }] }]

function clientOf(target: Target, options: { retryOptions?: HttpRetryOptions; coding?: string } = {}): GoogleGenAI {
  const { coding, ...retry } = options
  const headers = { ...target.headers, ...(coding === undefined ? {} : { 'accept-encoding': coding }) }
  return new GoogleGenAI({ apiKey: target.key, httpOptions: { baseUrl: target.url, headers, ...retry } })
}

function assertApiError(error: unknown, status: number): { error: { message: string; code: unknown } } {
  assert.ok(error instanceof ApiError, String(error))
  assert.equal(error.status, status)
  return JSON.parse(error.message)
}

test('answers, with the header fields that came with them', async () => {
  const { value, relayed } = await parity.same([wire.content], (target) =>
    clientOf(target).models.generateContent(question),
  )
  assert.equal(value.text, wire.ANSWER)
  assert.equal(value.sdkHttpResponse?.headers?.['server-timing'], 'gfet4t7; dur=321')
  assert.deepEqual(relayed.requests[0]!.values('x-goog-api-key'), [PROVIDER_KEY])
  const count = await parity.same([wire.tokenCount], (target) => clientOf(target).models.countTokens(question))
  assert.equal(count.value.totalTokens, 9)
  const models = await parity.same([wire.models], async (target) => (await clientOf(target).models.list()).page)
  assert.equal(models.value[0]?.name, 'models/gemini-4-pro')
})

test('streams, chunk by chunk', async () => {
  const held = { ...wire.contentStream, held: 1 }
  const { value } = await parity.same([held], async (target, script) => {
    const chunks = []
    for await (const chunk of await clientOf(target).models.generateContentStream(question)) {
      chunks.push(chunk)
      script.release() // Only now the second one leaves the provider.
    }
    return chunks
  })
  assert.equal(value.map((chunk) => chunk.text).join(''), wire.ANSWER)
})

test('streamed tool calls', async () => {
  const { value } = await parity.same([wire.toolStream], async (target) =>
    collect(await clientOf(target).models.generateContentStream({ ...question, config: { tools } })),
  )
  assert.deepEqual(value.at(-1)?.functionCalls?.[0]?.args, wire.ARGUMENTS)
})

test('a client that leaves in the middle: the provider sees it', async () => {
  const { value } = await parity.sameError(
    [{ ...wire.contentStream, held: 1 }],
    async (target, script) => {
      const controller = new AbortController()
      const config = { abortSignal: controller.signal }
      const chunks = await clientOf(target).models.generateContentStream({ ...question, config })
      try {
        for await (const _ of chunks) controller.abort()
      } finally {
        await script.connections[0]!.ended()
      }
    },
    { outcome: 'client_abort' },
  )
  assert.match(String(value), /abort/i)
})

test('a stream that the provider breaks off', async () => {
  const { value } = await parity.sameError(
    [{ ...wire.contentStream, cut: 2 }],
    async (target) => collect(await clientOf(target).models.generateContentStream(question)),
    { outcome: 'upstream_abort' },
  )
  assert.match(String(value), /terminated/)
})

for (const status of wire.ERROR_STATUSES) {
  test(`the provider's ${status}`, async () => {
    for (const method of ['generateContent', 'generateContentStream'] as const) {
      const { value, relayed } = await parity.sameError([wire.error(status)], (target) =>
        clientOf(target).models[method](question),
      )
      assert.deepEqual(assertApiError(value, status), wire.errorBody(status))
      assert.equal(relayed.requests.length, 1) // Unless it is told to, this client does not try again.
    }
  })
}

test('tries again as often as it is told to, and obeys no hint', async () => {
  const retryOptions = { attempts: 3, initialDelay: 0.001, maxDelay: 0.002, jitter: 0 }
  for (const [status, attempts] of [
    [429, 3],
    [500, 3],
    [529, 1],
  ] as const) {
    const { value, relayed } = await parity.sameError([wire.error(status)], (target) =>
      clientOf(target, { retryOptions }).models.generateContent(question),
    )
    assertApiError(value, status)
    assert.equal(relayed.requests.length, attempts)
  }
  const { value, relayed } = await parity.same([wire.error(429), wire.content], (target) =>
    clientOf(target, { retryOptions }).models.generateContent(question),
  )
  assert.equal(value.text, wire.ANSWER)
  assert.equal(relayed.requests.length, 2)
})

test('refusals of the gateway', async () => {
  for (const [target, code] of [
    [parity.wrongKey, 'unauthorized'],
    [parity.unknownPath, 'no_route'],
    [parity.down, 'connect_refused'],
  ] as const) {
    for (const method of ['generateContent', 'generateContentStream'] as const) {
      const error = await parity.refused(target, code, (to) => clientOf(to).models[method](question))
      const body = assertApiError(error, FAILURES[code].status)
      assert.deepEqual([body.error.message, body.error.code], [refusalText(code), `fluxgate_${code}`])
    }
  }
})

for (const coding of ['gzip', 'br'] as const) {
  test(`bodies in ${coding}`, async () => {
    const { value, relayed } = await parity.same([await compressible(wire.content, coding)], (target) =>
      clientOf(target, { coding }).models.generateContent(question),
    )
    assert.deepEqual([value.text, relayed.codings], [wire.ANSWER, [coding]])
    const stream = await compressible(wire.contentStream, coding)
    const held = { ...stream, coded: { ...stream.coded!, held: 1 } }
    const chunks = await parity.same([held], async (target, script) => {
      let text = ''
      for await (const chunk of await clientOf(target, { coding }).models.generateContentStream(question)) {
        text += chunk.text
        script.release()
      }
      return text
    })
    assert.deepEqual([chunks.value, chunks.relayed.codings], [wire.ANSWER, [coding]])
  })
}

test('its own login at the provider stays, the key of the gateway does not', async () => {
  const { value, relayed } = await parity.same(
    [wire.content],
    (target) => clientOf(target).models.generateContent(question),
    { pass: true },
  )
  assert.equal(value.text, wire.ANSWER)
  const request = relayed.requests[0]!
  assert.deepEqual([request.values('x-goog-api-key'), request.values('x-fluxgate-key')], [[PROVIDER_KEY], []])
})

const content = Buffer.alloc(UPLOAD_BYTES, 'content\r\n')
const upload = (to: Target) =>
  clientOf(to).files.upload({ file: new Blob([content]), config: { mimeType: 'application/octet-stream' } })
const uploadReplies = (providerUrl: string) => [
  wire.uploadStarted(`${providerUrl}/upload/v1beta/files?upload_id=u01&upload_protocol=resumable`),
  wire.uploadTaken, // In pieces of 8 MiB.
  wire.uploadTaken,
  wire.uploadTaken,
  wire.uploaded,
]

test('an upload of 25 MiB, where the gateway takes every path', async () => {
  const everywhere = await startParity({ prefix: '/' })
  const { value, relayed } = await everywhere.same(uploadReplies, upload)
  assert.equal(value.name, 'files/f01')
  assert.equal(relayed.requests.length, 5)
  const error = await everywhere.refused(everywhere.wrongKey, 'unauthorized', upload)
  assert.equal(assertApiError(error, 401).error.message, `fluxgate: ${FAILURES.unauthorized.message}`)
})

// The client takes only the path of the field `x-goog-upload-url`, and the gateway leaves the field as it is unless it is told otherwise.
test('an upload does not find back to a prefix', async () => {
  const seen = async (target: Target, script: Script) => {
    const outcome = await upload(target).then((file) => file.name, String)
    return { outcome, targets: script.requests.map((request) => request.target.split('?')[0]) }
  }
  const [straight, through] = await parity.both(uploadReplies, seen)
  assert.equal(straight.outcome, 'files/f01')
  assert.deepEqual(through.targets, straight.targets.slice(0, 1))
  const record = await parity.gateway.waitForRecord(({ request_url }) => request_url.startsWith('/upload/'))
  assert.deepEqual([record.status, record.error], [404, 'no_route'])
  assert.ok(!parity.gateway.log().includes(CLIENT_KEY))
})

test('an upload of 25 MiB below a prefix, where the operator has the field rewritten', async () => {
  const rewriting = await startParity({ more: { rewrite_upload_url: true } })
  const { value, relayed } = await rewriting
    .both(uploadReplies, async (target, script) => {
      const file = await upload(target)
      return { value: file.name, relayed: script.requests.map((request) => request.target) }
    })
    .then(([straight, through]) => {
      assert.deepEqual(through, straight)
      return through
    })
  assert.equal(value, 'files/f01')
  assert.equal(relayed.length, 5)
})

test('by REST, with the key in the query', async () => {
  const taking = await startParity({ more: { query_credential: true } })
  const { value, relayed } = await taking.same([wire.content], async ({ url, key }) => {
    const body = JSON.stringify({ contents: [{ parts: [{ text: question.contents }] }] })
    const headers = { 'content-type': 'application/json' }
    const path = '/v1beta/models/gemini-4-pro:generateContent'
    const response = await fetch(`${url}${path}?alt=json&key=${key}`, { method: 'POST', headers, body })
    const answer = (await response.json()) as { candidates: { content: { parts: { text: string }[] } }[] }
    return answer.candidates[0]!.content.parts[0]!.text
  })
  assert.equal(value, wire.ANSWER)
  assert.ok(relayed.requests[0]!.target.endsWith(`?alt=json&key=${PROVIDER_KEY}`))
  assert.ok(!taking.gateway.log().includes(CLIENT_KEY) && !taking.gateway.log().includes(PROVIDER_KEY))
})
