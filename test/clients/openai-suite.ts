import assert from 'node:assert/strict'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import type OpenAI from 'openai'
import { FAILURES } from '../../src/failure.ts'
import * as wire from './openai-wire.ts'
import { assertPause, collect, refusalText, startParity, type Target } from './parity.ts'
import { compressible, type Script } from './scripted-origin.ts'

type Module = typeof import('openai')

/** More than the first pause of a client that ignores hints, which is half a second at most. */
const RETRY_AFTER_MS = 600
const UPLOAD_BYTES = 25 * 1024 * 1024
const CLASSES = {
  401: 'AuthenticationError',
  404: 'NotFoundError',
  429: 'RateLimitError',
  500: 'InternalServerError',
  529: 'InternalServerError',
} as const

const question = { model: 'gpt-5.6', messages: [{ role: 'user' as const, content: 'Grüß Gott 👋' }] }
const streamed = { ...question, stream: true as const, stream_options: { include_usage: true } }
const parameters = { type: 'object', properties: { city: { type: 'string' }, unit: { type: 'string' } } }
const tools = [{ type: 'function' as const, function: { name: 'get_weather', parameters } }]

/** What holds for each major version of OpenAI's own client; the newer one leaves as soon as it has read `[DONE]`. */
export async function openaiSuite(sdk: Module, leavesAtDone: boolean): Promise<void> {
  const parity = await startParity()

  function clientOf(target: Target, options: { maxRetries?: number; coding?: string } = {}): OpenAI {
    const { maxRetries = 0, coding } = options
    const headers = { ...target.headers, ...(coding === undefined ? {} : { 'accept-encoding': coding }) }
    return new sdk.OpenAI({
      baseURL: `${target.url}/v1`,
      apiKey: target.key,
      organization: 'org-example',
      project: null,
      maxRetries,
      defaultHeaders: headers,
    })
  }

  test('answers, with the header fields that came with them', async () => {
    const { value } = await parity.same([wire.chat], async (target) => {
      const { data, response, request_id } = await clientOf(target).chat.completions.create(question).withResponse()
      return { data, response, request_id }
    })
    assert.equal(value.data.choices[0]?.message.content, wire.ANSWER)
    assert.equal(value.request_id, 'req_0123456789abcdef')
    assert.deepEqual(value.response.headers.getSetCookie().length, 2)
    const response = await parity.same([wire.response], (target) =>
      clientOf(target).responses.create({ model: 'gpt-5.6', input: 'Grüß Gott 👋' }),
    )
    assert.equal(response.value.output_text, wire.ANSWER)
    const models = await parity.same([wire.models], async (target) => collect(clientOf(target).models.list()))
    assert.deepEqual(
      models.value.map((model) => model.id),
      ['gpt-5.6', 'gpt-5.6-mini'],
    )
  })

  test('streams, chunk by chunk', async () => {
    const { value, relayed } = await parity.same([wire.chatStream], async (target) =>
      collect(await clientOf(target).chat.completions.create(streamed)),
    )
    assert.equal(value.map((chunk) => chunk.choices[0]?.delta.content ?? '').join(''), wire.ANSWER)
    assert.equal(value.at(-1)?.usage?.total_tokens, 21)
    assert.equal(relayed.requests.length, 1)
    const response = await parity.same([wire.responseStream], async (target) =>
      collect(await clientOf(target).responses.create({ model: 'gpt-5.6', input: 'hello', stream: true })),
    )
    assert.deepEqual([response.value[0]?.type, response.value.at(-1)?.type], ['response.created', 'response.completed'])
  })

  test('a chunk is there before the next one is sent', async () => {
    const held = { ...wire.chatStream, held: 3 }
    const { value } = await parity.same([held], async (target, script) => {
      const chunks = await clientOf(target).chat.completions.create(streamed)
      const all: unknown[] = []
      for await (const chunk of chunks) {
        all.push(chunk)
        script.release()
      }
      return all
    })
    assert.ok(value.length > 3)
  })

  test('streamed tool calls', async () => {
    const { value } = await parity.same([wire.toolStream], async (target) => {
      const stream = clientOf(target).chat.completions.stream({ ...question, tools })
      const events: unknown[] = []
      stream.on('tool_calls.function.arguments.delta', (event) => events.push(event))
      stream.on('tool_calls.function.arguments.done', (event) => events.push(event))
      return { events, completion: await stream.finalChatCompletion() }
    })
    const call = value.completion.choices[0]?.message.tool_calls?.[0]
    assert.deepEqual(call?.type === 'function' && JSON.parse(call.function.arguments), wire.ARGUMENTS)
    assert.equal(value.events.length, 6)
    const response = await parity.same([wire.responseToolStream], (target) =>
      clientOf(target).responses.stream({ model: 'gpt-5.6', input: 'hello' }).finalResponse(),
    )
    const output = response.value.output[0]
    assert.deepEqual(output?.type === 'function_call' && JSON.parse(output.arguments), wire.ARGUMENTS)
  })

  test('a client that leaves in the middle: the provider sees it', async () => {
    const held = { ...wire.chatStream, held: 4 }
    const { value, relayed } = await parity.same(
      [held],
      async (target, script) => {
        const stream = await clientOf(target).chat.completions.create(streamed)
        let chunks = 0
        for await (const chunk of stream) {
          chunks++
          if (chunk.choices[0]?.delta.content) stream.controller.abort()
        }
        await script.connections[0]!.ended()
        return chunks
      },
      { outcome: 'client_abort' },
    )
    assert.equal(value, 2)
    assert.equal(relayed.connections.length, 1)
  })

  test('a call that is given up before its answer: the provider sees it', async () => {
    const { value } = await parity.sameError(
      [{ ...wire.chat, held: 0 }],
      async (target, script) => {
        const controller = new AbortController()
        const call = clientOf(target).chat.completions.create(question, { signal: controller.signal })
        await script.requested()
        controller.abort()
        await assert.rejects(call)
        await script.connections[0]!.ended()
        return call
      },
      { outcome: 'client_abort' },
    )
    assert.ok(value instanceof sdk.APIUserAbortError)
  })

  test('a stream that the provider breaks off', async () => {
    const { value } = await parity.sameError(
      [{ ...wire.chatStream, cut: 5 }],
      async (target) => collect(await clientOf(target).chat.completions.create(streamed)),
      { outcome: 'upstream_abort' },
    )
    assert.match(String(value), /terminated|closed|ended|Connection error/)
  })

  for (const status of wire.ERROR_STATUSES) {
    test(`the provider's ${status}`, async () => {
      const hints = status === 429 ? ['retry-after-ms: 12000', 'retry-after: 12'] : []
      const { value, relayed } = await parity.sameError([wire.error(status, ...hints)], (target) =>
        clientOf(target).chat.completions.create(question),
      )
      assert.ok(value instanceof sdk[CLASSES[status]])
      assert.equal(value.message, `${status} ${wire.errorMessage(status)}`)
      assert.equal(value.requestID, 'req_0123456789abcdef')
      assert.equal(relayed.requests.length, 1)
    })
  }

  for (const hint of [`retry-after-ms: ${RETRY_AFTER_MS}`, 'retry-after: 1']) {
    test(`obeys ${hint}`, async () => {
      const { value, direct, relayed } = await parity.same([wire.error(429, hint), wire.chat], (target) =>
        clientOf(target, { maxRetries: 2 }).chat.completions.create(question),
      )
      assert.equal(value.choices[0]?.message.content, wire.ANSWER)
      for (const script of [direct, relayed]) {
        assert.equal(script.requests.length, 2)
        assertPause(script, hint.startsWith('retry-after-ms') ? RETRY_AFTER_MS : 1000)
      }
    })
  }

  test('gives up after as many attempts, and at once if it should not retry', async () => {
    for (const status of [500, 529] as const) {
      const error = wire.error(status, 'retry-after-ms: 1')
      const { relayed } = await parity.sameError([error], (target) =>
        clientOf(target, { maxRetries: 2 }).chat.completions.create(question),
      )
      const counts = relayed.requests.map((request) => request.values('x-stainless-retry-count')[0])
      assert.deepEqual(counts, ['0', '1', '2'])
    }
    const error = wire.error(500, 'x-should-retry: false')
    const { relayed } = await parity.sameError([error], (target) =>
      clientOf(target, { maxRetries: 2 }).chat.completions.create(question),
    )
    assert.equal(relayed.requests.length, 1)
  })

  test('refusals of the gateway', async () => {
    for (const [target, code, expected] of [
      [parity.wrongKey, 'unauthorized', sdk.AuthenticationError],
      [parity.unknownPath, 'no_route', sdk.NotFoundError],
      [parity.down, 'connect_refused', sdk.InternalServerError],
    ] as const) {
      const error = await parity.refused(target, code, (to) => clientOf(to).chat.completions.create(question))
      assert.ok(error instanceof expected)
      assert.equal(error.message, `${FAILURES[code].status} ${refusalText(code)}`)
      assert.deepEqual([error.code, error.headers?.get('x-fluxgate-error')], [`fluxgate_${code}`, `fluxgate_${code}`])
    }
  })

  test('an upload of 25 MiB', async () => {
    const content = Buffer.alloc(UPLOAD_BYTES, 'content\r\n')
    const upload = (to: Target) =>
      clientOf(to).files.create({ file: new File([content], 'a.bin'), purpose: 'user_data' })
    const { value, relayed } = await parity.same([wire.file], upload)
    assert.equal(value.id, 'file-1')
    assert.ok(relayed.requests[0]!.message.bodyBytes > UPLOAD_BYTES)
    const error = await parity.refused(parity.wrongKey, 'unauthorized', upload)
    assert.ok(error instanceof sdk.AuthenticationError)
    assert.equal(error.message, `401 fluxgate: ${FAILURES.unauthorized.message}`)
  })

  test('an upload of 25 MiB from a disk', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'fluxgate-upload-'))
    after(() => rm(directory, { recursive: true }))
    const name = path.join(directory, 'a.bin')
    await writeFile(name, Buffer.alloc(UPLOAD_BYTES, 'content\r\n'))
    const upload = (to: Target) => clientOf(to).files.create({ file: createReadStream(name), purpose: 'user_data' })
    const { value, relayed } = await parity.same([wire.file], upload)
    assert.equal(value.id, 'file-1')
    assert.ok(relayed.requests[0]!.message.bodyBytes > UPLOAD_BYTES)
    const error = await parity.refused(parity.wrongKey, 'unauthorized', upload)
    assert.ok(error instanceof sdk.AuthenticationError)
  })

  test('an upload that the provider refuses before it has read it', async () => {
    const file = new File([Buffer.alloc(UPLOAD_BYTES, 'content\r\n')], 'a.bin')
    const errors = await parity.both([wire.tooLarge], (target) =>
      clientOf(target)
        .files.create({ file, purpose: 'user_data' })
        .catch((error: unknown) => error),
    )
    for (const error of errors) {
      assert.ok(error instanceof sdk.APIError, String(error))
      assert.deepEqual([error.status, error.message], [413, '413 The upload is too large.'])
    }
  })

  test('large answers and binary ones', async () => {
    const image = await parity.same([wire.image], (target) =>
      clientOf(target).images.generate({ model: 'gpt-image-2', prompt: 'Welt' }),
    )
    assert.equal(image.value.data?.[0]?.b64_json, wire.IMAGE)
    const speech = await parity.same([wire.speech], async (target) => {
      const response = await clientOf(target).audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'Welt' })
      return { response, content: Buffer.from(await response.arrayBuffer()) }
    })
    assert.ok(speech.value.content.equals(wire.SPEECH))
  })

  for (const coding of ['gzip', 'br'] as const) {
    test(`bodies in ${coding}`, async () => {
      const chat = await compressible(wire.chat, coding)
      const { value, relayed } = await parity.same([chat], async (target) => {
        const { data, response } = await clientOf(target, { coding }).chat.completions.create(question).withResponse()
        return { data, fields: response.headers }
      })
      assert.equal(value.data.choices[0]?.message.content, wire.ANSWER)
      assert.deepEqual([relayed.codings, value.fields.get('content-encoding')], [[coding], coding])
      // The first event must not wait for the end, or nobody releases the others.
      const stream = await compressible(wire.chatStream, coding)
      const held = { ...stream, coded: { ...stream.coded!, held: 3 } }
      const chunks = await parity.same([held], async (target, script) => {
        const all: OpenAI.Chat.ChatCompletionChunk[] = []
        for await (const chunk of await clientOf(target, { coding }).chat.completions.create(streamed)) {
          all.push(chunk)
          script.release()
        }
        return all
      })
      assert.equal(chunks.value.map((chunk) => chunk.choices[0]?.delta.content ?? '').join(''), wire.ANSWER)
      assert.deepEqual(chunks.relayed.codings, [coding])
    })
  }

  test('its own login at the provider stays, the key of the gateway does not', async () => {
    const { value, relayed } = await parity.same(
      [wire.chat],
      (target) => clientOf(target).chat.completions.create(question),
      { pass: true },
    )
    assert.equal(value.choices[0]?.message.content, wire.ANSWER)
    assert.deepEqual(relayed.requests[0]!.values('x-fluxgate-key'), [])
  })

  test(`${leavesAtDone ? 'leaving' : 'what comes'} right after [DONE] is a complete exchange`, async () => {
    const { chatStream } = wire
    const reply = leavesAtDone ? { ...chatStream, held: chatStream.content.length } : chatStream
    const call = async (target: Target, script: Script) => {
      const chunks = await collect(await clientOf(target).chat.completions.create(streamed))
      script.release() // Only now the end of the body leaves the provider.
      return chunks
    }
    const first = await parity.same([reply], call)
    const second = await parity.same([reply], call)
    assert.equal(second.value.at(-1)?.usage?.total_tokens, 21)
    assert.deepEqual(second.relayed.connections, first.relayed.connections)
    // The older one keeps its connection if the end has come before its next call, which nobody can promise.
    if (leavesAtDone) assert.notEqual(second.direct.connections[0], first.direct.connections[0])
  })
}
