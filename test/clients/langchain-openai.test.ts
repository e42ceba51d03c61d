/** LangChain's chat model for OpenAI: OpenAI's client below, retries of its own above. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChatOpenAI } from '@langchain/openai'
import { FAILURES } from '../../src/failure.ts'
import * as wire from './openai-wire.ts'
import { assertPause, collect, refusalText, startParity, type Target } from './parity.ts'
import { compressible } from './scripted-origin.ts'

/** More than its first pause without a hint, which is two seconds at most. */
const RETRY_AFTER_SECONDS = 2.1
const CLASSES = {
  401: 'AuthenticationError',
  404: 'NotFoundError',
  429: 'RateLimitError',
  500: 'InternalServerError',
  529: 'InternalServerError',
} as const

const parity = await startParity()
const question = 'Grüß Gott 👋'
const parameters = { type: 'object', properties: { city: { type: 'string' }, unit: { type: 'string' } } }
const tools = [{ type: 'function' as const, function: { name: 'get_weather', parameters } }]

function modelOf(target: Target, options: { maxRetries?: number; coding?: string; isResponses?: boolean } = {}) {
  const { maxRetries = 0, coding, isResponses = false } = options
  const defaultHeaders = { ...target.headers, ...(coding === undefined ? {} : { 'accept-encoding': coding }) }
  return new ChatOpenAI({
    model: isResponses ? 'gpt-5.6' : 'gpt-4.1', // What it thinks of as newer is always asked for responses.
    apiKey: target.key,
    configuration: { baseURL: `${target.url}/v1`, defaultHeaders },
    maxRetries,
    useResponsesApi: isResponses,
  })
}

test('answers', async () => {
  for (const isResponses of [false, true]) {
    const { value } = await parity.same([isResponses ? wire.response : wire.chat], (target) =>
      modelOf(target, { isResponses }).invoke(question),
    )
    assert.equal(value.text, wire.ANSWER)
  }
})

test('streams, chunk by chunk', async () => {
  for (const isResponses of [false, true]) {
    const reply = isResponses ? { ...wire.responseStream, held: 5 } : { ...wire.chatStream, held: 3 }
    const { value } = await parity.same([reply], async (target, script) => {
      const all = []
      for await (const chunk of await modelOf(target, { isResponses }).stream(question)) {
        all.push(chunk)
        if (chunk.text !== '') script.release() // Only now the second text leaves the provider.
      }
      return all
    })
    assert.equal(value.map((chunk) => chunk.text).join(''), wire.ANSWER)
  }
})

test('streamed tool calls', async () => {
  for (const isResponses of [false, true]) {
    const reply = isResponses ? wire.responseToolStream : wire.toolStream
    const { value } = await parity.same([reply], async (target) =>
      collect(await modelOf(target, { isResponses }).bindTools(tools).stream(question)),
    )
    const whole = value.reduce((before, chunk) => before.concat(chunk))
    assert.deepEqual(whole.tool_calls?.[0]?.args, wire.ARGUMENTS)
  }
})

test('a client that leaves in the middle: the provider sees it', async () => {
  const { value } = await parity.sameError(
    [{ ...wire.chatStream, held: 3 }],
    async (target, script) => {
      const controller = new AbortController()
      const chunks = await modelOf(target).stream(question, { signal: controller.signal })
      try {
        for await (const chunk of chunks) if (chunk.text !== '') controller.abort()
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
    [{ ...wire.chatStream, cut: 4 }],
    async (target) => collect(await modelOf(target).stream(question)),
    { outcome: 'upstream_abort' },
  )
  assert.match(String(value), /terminated/)
})

for (const status of wire.ERROR_STATUSES) {
  test(`the provider's ${status}`, async () => {
    const { value, relayed } = await parity.sameError([wire.error(status)], (target) =>
      modelOf(target).invoke(question),
    )
    const error = value as Error & { status: number }
    assert.deepEqual([error.constructor.name, error.status], [CLASSES[status], status])
    assert.ok(error.message.includes(wire.errorMessage(status)), error.message)
    assert.equal(relayed.requests.length, 1)
  })
}

test('obeys retry-after', async () => {
  const reply = wire.error(429, `retry-after: ${RETRY_AFTER_SECONDS}`)
  const { value, direct, relayed } = await parity.same([reply, wire.chat], (target) =>
    modelOf(target, { maxRetries: 2 }).invoke(question),
  )
  assert.equal(value.text, wire.ANSWER)
  for (const script of [direct, relayed]) {
    assert.equal(script.requests.length, 2)
    assertPause(script, RETRY_AFTER_SECONDS * 1000)
  }
})

test('gives up after as many attempts as it was told to make', async () => {
  const { relayed } = await parity.sameError([wire.error(500)], (target) =>
    modelOf(target, { maxRetries: 1 }).invoke(question),
  )
  assert.equal(relayed.requests.length, 2)
})

test('a 429 without retry-after is not tried again, nor is retry-after-ms understood', async () => {
  for (const hints of [[], ['retry-after-ms: 10']]) {
    const { relayed } = await parity.sameError([wire.error(429, ...hints)], (target) =>
      modelOf(target, { maxRetries: 2 }).invoke(question),
    )
    assert.equal(relayed.requests.length, 1)
  }
})

test('refusals of the gateway', async () => {
  for (const [target, code, name] of [
    [parity.wrongKey, 'unauthorized', 'AuthenticationError'],
    [parity.unknownPath, 'no_route', 'NotFoundError'],
    [parity.down, 'connect_refused', 'InternalServerError'],
  ] as const) {
    const error = (await parity.refused(target, code, (to) => modelOf(to).invoke(question))) as Error
    assert.equal(error.constructor.name, name)
    assert.ok(error.message.startsWith(`${FAILURES[code].status} ${refusalText(code)}`), error.message)
  }
})

for (const coding of ['gzip', 'br'] as const) {
  test(`bodies in ${coding}`, async () => {
    const { value, relayed } = await parity.same([await compressible(wire.chat, coding)], (target) =>
      modelOf(target, { coding }).invoke(question),
    )
    assert.deepEqual([value.text, relayed.codings], [wire.ANSWER, [coding]])
    const stream = await compressible(wire.chatStream, coding)
    const held = { ...stream, coded: { ...stream.coded!, held: 3 } }
    const texts = await parity.same([held], async (target, script) => {
      let text = ''
      for await (const chunk of await modelOf(target, { coding }).stream(question)) {
        text += chunk.text
        if (text !== '') script.release()
      }
      return text
    })
    assert.deepEqual([texts.value, texts.relayed.codings], [wire.ANSWER, [coding]])
  })
}

test('its own login at the provider stays, the key of the gateway does not', async () => {
  const { value, relayed } = await parity.same([wire.chat], (target) => modelOf(target).invoke(question), {
    pass: true,
  })
  assert.equal(value.text, wire.ANSWER)
  assert.deepEqual(relayed.requests[0]!.values('x-fluxgate-key'), [])
})
