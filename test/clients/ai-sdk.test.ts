/** The AI SDK, with its providers for OpenAI and Anthropic. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { APICallError, generateText, jsonSchema, type LanguageModel, RetryError, streamText, type ToolSet } from 'ai'
import { FAILURES } from '../../src/failure.ts'
import { PROVIDER_KEY } from '../support/gateway.ts'
import * as anthropicWire from './anthropic-wire.ts'
import * as openaiWire from './openai-wire.ts'
import { assertPause, collect, refusalText, startParity, type Target } from './parity.ts'
import { compressible, type Reply, type Script } from './scripted-origin.ts'

/** Less than what the SDK waits where there is no hint: two seconds. */
const RETRY_AFTER_MS = 100
const OWN_PAUSE_MS = 2000

const parity = await startParity()
const prompt = 'Grüß Gott 👋'
const properties = { city: { type: 'string' as const }, unit: { type: 'string' as const } }
const tools: ToolSet = { get_weather: { inputSchema: jsonSchema({ type: 'object', properties }) } }

interface Provider {
  readonly model: (target: Target, coding?: string) => LanguageModel
  /** The field that has the key, and what is before it there. */
  readonly credential: readonly [name: string, value: string]
  readonly whole: Reply
  readonly stream: Reply
  /** Events of the stream up to the first text, that included. */
  readonly held: number
  readonly toolStream: Reply
  readonly error: (status: openaiWire.ErrorStatus, ...hints: readonly string[]) => Reply
  readonly errorText: (status: openaiWire.ErrorStatus) => string
}

function settings(path: string, { url, key, headers }: Target, coding?: string) {
  const fields = { ...headers, ...(coding === undefined ? {} : { 'accept-encoding': coding }) }
  return { baseURL: `${url}${path}`, apiKey: key, headers: fields }
}

const openaiErrors = { error: openaiWire.error, errorText: openaiWire.errorMessage }

const PROVIDERS: Readonly<Record<string, Provider>> = {
  "OpenAI's chat completions": {
    model: (target, coding) => createOpenAI(settings('/v1', target, coding)).chat('gpt-5.6'),
    credential: ['authorization', `Bearer ${PROVIDER_KEY}`],
    whole: openaiWire.chat,
    stream: openaiWire.chatStream,
    held: 3,
    toolStream: openaiWire.toolStream,
    ...openaiErrors,
  },
  "OpenAI's responses": {
    model: (target, coding) => createOpenAI(settings('/v1', target, coding))('gpt-5.6'),
    credential: ['authorization', `Bearer ${PROVIDER_KEY}`],
    whole: openaiWire.response,
    stream: openaiWire.responseStream,
    held: 5,
    toolStream: openaiWire.responseToolStream,
    ...openaiErrors,
  },
  "Anthropic's messages": {
    model: (target, coding) => createAnthropic(settings('/v1', target, coding))('claude-5'),
    credential: ['x-api-key', PROVIDER_KEY],
    whole: anthropicWire.message,
    stream: anthropicWire.messageStream,
    held: 4,
    toolStream: anthropicWire.toolStream,
    error: anthropicWire.error,
    errorText: anthropicWire.errorText,
  },
}

/** An answer without what the SDK makes up for each: identifiers and times. */
async function generated(model: LanguageModel, maxRetries = 0) {
  const result = await generateText({ model, prompt, maxRetries })
  const { text, content, finishReason, usage, warnings, providerMetadata, request, response } = result
  const { id, modelId, headers, body } = response
  return { text, content, finishReason, usage, warnings, providerMetadata, request, id, modelId, headers, body }
}

const MADE_UP = ['performance', 'timestamp', 'callId', 'messageId']

function withoutMadeUp(part: object): object {
  return JSON.parse(JSON.stringify(part, (name, value) => (MADE_UP.includes(name) ? undefined : value)))
}

function streamed(model: LanguageModel, more: Pick<Parameters<typeof streamText>[0], 'abortSignal' | 'tools'> = {}) {
  return streamText({ model, prompt, maxRetries: 0, onError: () => {}, ...more })
}

async function errorOf(call: AsyncIterable<{ type: string; error?: unknown }>): Promise<never> {
  for await (const part of call) if (part.type === 'error') throw part.error
  return assert.fail('it did not fail')
}

function textOf(parts: readonly object[]): string {
  return parts.map((part) => ('text' in part ? part.text : '')).join('')
}

for (const [name, provider] of Object.entries(PROVIDERS)) {
  const { model } = provider

  test(`${name}: answers, with the header fields that came with them`, async () => {
    const { value, relayed } = await parity.same([provider.whole], (target) => generated(model(target)))
    assert.equal(value.text, openaiWire.ANSWER)
    assert.equal(value.headers?.server, 'cloudflare')
    assert.deepEqual(relayed.requests[0]!.values(provider.credential[0]), [provider.credential[1]])
  })

  test(`${name}: streams, part by part`, async () => {
    const held = { ...provider.stream, held: provider.held }
    const { value } = await parity.same([held], async (target, script) => {
      const parts: object[] = []
      for await (const part of streamed(model(target)).fullStream) {
        parts.push(withoutMadeUp(part))
        if (part.type === 'text-delta') script.release() // Only now the second text leaves the provider.
      }
      return parts
    })
    assert.equal(textOf(value), openaiWire.ANSWER)
  })

  test(`${name}: streamed tool calls`, async () => {
    const { value } = await parity.same([provider.toolStream], async (target) =>
      (await collect(streamed(model(target), { tools }).fullStream)).map(withoutMadeUp),
    )
    const call = value.find((part) => 'type' in part && part.type === 'tool-call') as { input?: unknown }
    assert.deepEqual(call.input, openaiWire.ARGUMENTS)
  })

  test(`${name}: a client that leaves in the middle: the provider sees it`, async () => {
    const { value } = await parity.same(
      [{ ...provider.stream, held: provider.held }],
      async (target, script) => {
        const controller = new AbortController()
        const parts: string[] = []
        for await (const part of streamed(model(target), { abortSignal: controller.signal }).fullStream) {
          parts.push(part.type)
          if (part.type === 'text-delta') controller.abort()
        }
        await script.connections[0]!.ended()
        return parts
      },
      { outcome: 'client_abort' },
    )
    assert.equal(value.at(-1), 'abort')
  })

  test(`${name}: a stream that the provider breaks off`, async () => {
    const { value } = await parity.sameError(
      [{ ...provider.stream, cut: provider.held }],
      (target) => errorOf(streamed(model(target)).fullStream),
      { outcome: 'upstream_abort' },
    )
    assert.match(String((value as Error).cause), /terminated/)
  })

  for (const status of openaiWire.ERROR_STATUSES) {
    test(`${name}: the provider's ${status}`, async () => {
      const reply = provider.error(status, ...(status === 429 ? ['retry-after: 12'] : []))
      for (const call of [
        (target: Target) => generated(model(target)),
        (target: Target) => errorOf(streamed(model(target)).fullStream),
      ]) {
        const { value, relayed } = await parity.sameError([reply], call)
        assert.ok(APICallError.isInstance(value), String(value))
        assert.deepEqual([value.statusCode, value.message], [status, provider.errorText(status)])
        assert.equal(relayed.requests.length, 1)
      }
    })
  }

  test(`${name}: refusals of the gateway`, async () => {
    for (const [target, code] of [
      [parity.wrongKey, 'unauthorized'],
      [parity.unknownPath, 'no_route'],
      [parity.down, 'connect_refused'],
    ] as const) {
      for (const call of [
        (to: Target) => generated(model(to)),
        (to: Target) => errorOf(streamed(model(to)).fullStream),
      ]) {
        const error = await parity.refused(target, code, call)
        assert.ok(APICallError.isInstance(error), String(error))
        assert.equal(error.statusCode, FAILURES[code].status)
        assert.equal(error.message, refusalText(code))
        assert.equal(error.responseHeaders?.['x-fluxgate-error'], `fluxgate_${code}`)
      }
    }
  })

  for (const coding of ['gzip', 'br'] as const) {
    test(`${name}: bodies in ${coding}`, async () => {
      const { value, relayed } = await parity.same([await compressible(provider.whole, coding)], (target) =>
        generated(model(target, coding)),
      )
      assert.deepEqual([value.text, relayed.codings], [openaiWire.ANSWER, [coding]])
      const stream = await compressible(provider.stream, coding)
      const held = { ...stream, coded: { ...stream.coded!, held: provider.held } }
      const texts = await parity.same([held], async (target, script) => {
        let text = ''
        for await (const piece of streamed(model(target, coding)).textStream) {
          text += piece
          script.release()
        }
        return text
      })
      assert.deepEqual([texts.value, texts.relayed.codings], [openaiWire.ANSWER, [coding]])
    })
  }

  test(`${name}: the login of its own that it sends to the provider stays`, async () => {
    const { relayed } = await parity.same([provider.whole], (target) => generated(model(target)), { pass: true })
    const request = relayed.requests[0]!
    assert.deepEqual(request.values(provider.credential[0]), [provider.credential[1]])
    assert.deepEqual(request.values('x-fluxgate-key'), [])
  })
}

const chat = PROVIDERS["OpenAI's chat completions"]!

for (const hint of [`retry-after-ms: ${RETRY_AFTER_MS}`, `retry-after: ${RETRY_AFTER_MS / 1000}`]) {
  test(`obeys ${hint}`, async () => {
    const { value, direct, relayed } = await parity.same([chat.error(429, hint), chat.whole], (target) =>
      generated(chat.model(target), 2),
    )
    assert.equal(value.text, openaiWire.ANSWER)
    for (const script of [direct, relayed]) assertObeyed(script)
  })
}

test('gives up after as many attempts as it was told to make', async () => {
  for (const status of [500, 529] as const) {
    const { value, relayed } = await parity.sameError([chat.error(status, 'retry-after-ms: 1')], (target) =>
      generated(chat.model(target), 2),
    )
    assert.ok(RetryError.isInstance(value))
    assert.equal(value.reason, 'maxRetriesExceeded')
    assert.equal(relayed.requests.length, 3)
  }
})

function assertObeyed(script: Script): void {
  assert.equal(script.requests.length, 2)
  assertPause(script, RETRY_AFTER_MS)
  assert.ok(script.pauseMs(0) < OWN_PAUSE_MS, `${script.pauseMs(0)} ms`)
}
