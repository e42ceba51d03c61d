import assert from 'node:assert/strict'
import { test } from 'node:test'
import type Anthropic from '@anthropic-ai/sdk'
import { FAILURES } from '../../src/failure.ts'
import { CLIENT_KEY, PROVIDER_KEY } from '../support/gateway.ts'
import * as wire from './anthropic-wire.ts'
import { assertPause, collect, refusalText, startParity, type Target } from './parity.ts'
import { compressible, type Script } from './scripted-origin.ts'

type Module = typeof import('@anthropic-ai/sdk')

/** More than the first pause of a client that ignores hints, which is half a second at most. */
const RETRY_AFTER_MS = 600
const UPLOAD_BYTES = 25 * 1024 * 1024

const question = {
  model: 'claude-5',
  max_tokens: 100,
  messages: [{ role: 'user' as const, content: 'Grüß Gott 👋' }],
}
const streamed = { ...question, stream: true as const }
const input_schema = { type: 'object' as const, properties: { city: { type: 'string' }, unit: { type: 'string' } } }
const tools = [{ name: 'get_weather', input_schema }]

export interface Generation {
  readonly sdk: Module
  /** The field that has the client's key. */
  readonly keyField: 'authorization' | 'x-api-key'
  /** The class of an error of status 529. */
  readonly overloaded: Module['InternalServerError']
  readonly upload: (client: Anthropic, file: File) => Promise<{ id: string }>
}

/** What holds for each major version of Anthropic's own client. */
export async function anthropicSuite({ sdk, keyField, overloaded, upload }: Generation): Promise<void> {
  const parity = await startParity()
  const classes = {
    401: sdk.AuthenticationError,
    404: sdk.NotFoundError,
    429: sdk.RateLimitError,
    500: sdk.InternalServerError,
    529: overloaded,
  }

  function clientOf(target: Target, options: { maxRetries?: number; coding?: string } = {}): Anthropic {
    const { maxRetries = 0, coding } = options
    const headers = { ...target.headers, ...(coding === undefined ? {} : { 'accept-encoding': coding }) }
    return new sdk.Anthropic({
      baseURL: target.url,
      apiKey: target.key,
      authToken: null,
      maxRetries,
      defaultHeaders: headers,
    })
  }

  test('answers, with the header fields that came with them', async () => {
    const { value, relayed } = await parity.same([wire.message], async (target) => {
      const { data, response, request_id } = await clientOf(target).messages.create(question).withResponse()
      return { data, response, request_id }
    })
    assert.deepEqual(value.data.content, [{ type: 'text', text: wire.ANSWER, citations: null }])
    assert.match(value.request_id ?? '', /^req_/)
    const credential = keyField === 'authorization' ? `Bearer ${PROVIDER_KEY}` : PROVIDER_KEY
    assert.deepEqual(relayed.requests[0]!.values(keyField), [credential])
    const { model, messages } = question
    const count = await parity.same([wire.tokenCount], (target) =>
      clientOf(target).messages.countTokens({ model, messages }),
    )
    assert.equal(count.value.input_tokens, 9)
    const models = await parity.same([wire.models], (target) => collect(clientOf(target).models.list()))
    assert.deepEqual(
      models.value.map(({ id }) => id),
      ['claude-5'],
    )
  })

  test('a key and a login, each in its place', async () => {
    for (const [name, field] of [
      ['apiKey', keyField],
      ['authToken', 'authorization'],
    ] as const) {
      const { relayed } = await parity.same([wire.message], (target) => {
        const credentials = { apiKey: null, authToken: null, [name]: target.key }
        return new sdk.Anthropic({ baseURL: target.url, ...credentials, maxRetries: 0 }).messages.create(question)
      })
      const names = relayed.requests[0]!.message.fields.map((line) => line.name)
      assert.deepEqual(
        names.filter((line) => ['authorization', 'x-api-key'].includes(line)),
        [field],
      )
    }
  })

  test('streams, event by event', async () => {
    const { value } = await parity.same([wire.messageStream], async (target) =>
      collect(await clientOf(target).messages.create(streamed)),
    )
    const texts = value.map((event) => {
      return event.type === 'content_block_delta' && event.delta.type === 'text_delta' ? event.delta.text : ''
    })
    assert.equal(texts.join(''), wire.ANSWER)
    const held = { ...wire.messageStream, held: 4 }
    const stepwise = await parity.same([held], async (target, script) => {
      const stream = clientOf(target).messages.stream(question)
      const texts: string[] = []
      stream.on('text', (text) => {
        texts.push(text)
        script.release() // Only now the second piece of text leaves the provider.
      })
      return { texts, message: await stream.finalMessage() }
    })
    assert.equal(stepwise.value.texts.join(''), wire.ANSWER)
    assert.equal(stepwise.value.message.usage.output_tokens, 12)
  })

  test('streamed tool calls', async () => {
    const { value } = await parity.same([wire.toolStream], async (target) => {
      const stream = clientOf(target).messages.stream({ ...question, tools })
      const pieces: unknown[] = []
      stream.on('inputJson', (piece, snapshot) => pieces.push([piece, snapshot]))
      return { pieces, message: await stream.finalMessage() }
    })
    const block = value.message.content[0]
    assert.deepEqual(block?.type === 'tool_use' && block.input, wire.ARGUMENTS)
    assert.ok(value.pieces.length >= 4)
  })

  test('a client that leaves in the middle: the provider sees it', async () => {
    const { value } = await parity.sameError(
      [{ ...wire.messageStream, held: 4 }],
      async (target, script) => {
        const stream = clientOf(target).messages.stream(question)
        stream.once('text', () => stream.abort())
        const outcome = await stream.done().catch((error: unknown) => error)
        await script.connections[0]!.ended()
        throw outcome
      },
      { outcome: 'client_abort' },
    )
    assert.ok(value instanceof sdk.APIUserAbortError)
  })

  test('a call that is given up before its answer: the provider sees it', async () => {
    const { value } = await parity.sameError(
      [{ ...wire.message, held: 0 }],
      async (target, script) => {
        const controller = new AbortController()
        const call = clientOf(target).messages.create(question, { signal: controller.signal })
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
      [{ ...wire.messageStream, cut: 5 }],
      async (target) => collect(await clientOf(target).messages.create(streamed)),
      { outcome: 'upstream_abort' },
    )
    assert.match(String(value), /terminated/)
  })

  for (const status of wire.ERROR_STATUSES) {
    test(`the provider's ${status}`, async () => {
      const hints = status === 429 ? ['retry-after: 12'] : status === 529 ? ['x-should-retry: true'] : []
      const { value, relayed } = await parity.sameError([wire.error(status, ...hints)], (target) =>
        clientOf(target).messages.create(question),
      )
      assert.ok(value instanceof classes[status])
      assert.equal(value.status, status)
      assert.ok(value.message.includes(wire.errorText(status)), value.message)
      assert.match(value.requestID ?? '', /^req_/)
      assert.equal(relayed.requests.length, 1)
    })
  }

  for (const hint of [`retry-after-ms: ${RETRY_AFTER_MS}`, 'retry-after: 1']) {
    test(`obeys ${hint}`, async () => {
      const { value, direct, relayed } = await parity.same([wire.error(429, hint), wire.message], (target) =>
        clientOf(target, { maxRetries: 2 }).messages.create(question),
      )
      assert.equal(value.stop_reason, 'end_turn')
      for (const script of [direct, relayed]) {
        assert.equal(script.requests.length, 2)
        assertPause(script, hint.startsWith('retry-after-ms') ? RETRY_AFTER_MS : 1000)
      }
    })
  }

  test('gives up after as many attempts, and at once if it should not retry', async () => {
    for (const status of [500, 529] as const) {
      const { relayed } = await parity.sameError([wire.error(status, 'retry-after-ms: 1')], (target) =>
        clientOf(target, { maxRetries: 2 }).messages.create(question),
      )
      const counts = relayed.requests.map((request) => request.values('x-stainless-retry-count')[0])
      assert.deepEqual(counts, ['0', '1', '2'])
    }
    const { relayed } = await parity.sameError([wire.error(529, 'x-should-retry: false')], (target) =>
      clientOf(target, { maxRetries: 2 }).messages.create(question),
    )
    assert.equal(relayed.requests.length, 1)
  })

  test('refusals of the gateway', async () => {
    for (const [target, code, expected] of [
      [parity.wrongKey, 'unauthorized', sdk.AuthenticationError],
      [parity.unknownPath, 'no_route', sdk.NotFoundError],
      [parity.down, 'connect_refused', sdk.InternalServerError],
    ] as const) {
      const error = await parity.refused(target, code, (to) => clientOf(to).messages.create(question))
      assert.ok(error instanceof expected)
      assert.equal(error.message, `${FAILURES[code].status} ${refusalText(code)}`)
      assert.equal(error.headers?.get('x-fluxgate-error'), `fluxgate_${code}`)
    }
  })

  test('an upload of 25 MiB', async () => {
    const content = Buffer.alloc(UPLOAD_BYTES, 'content\r\n')
    const call = (to: Target) => upload(clientOf(to), new File([content], 'a.bin'))
    const { value, relayed } = await parity.same([wire.file], call)
    assert.equal(value.id, 'file_01')
    assert.ok(relayed.requests[0]!.message.bodyBytes > UPLOAD_BYTES)
    const error = await parity.refused(parity.wrongKey, 'unauthorized', call)
    assert.ok(error instanceof sdk.AuthenticationError)
    assert.equal(error.message, `401 fluxgate: ${FAILURES.unauthorized.message}`)
  })

  for (const coding of ['gzip', 'br'] as const) {
    test(`bodies in ${coding}`, async () => {
      const message = await compressible(wire.message, coding)
      const { value, relayed } = await parity.same([message], async (target) => {
        const { data, response } = await clientOf(target, { coding }).messages.create(question).withResponse()
        return { data, fields: response.headers }
      })
      assert.deepEqual(value.data.content, [{ type: 'text', text: wire.ANSWER, citations: null }])
      assert.deepEqual([relayed.codings, value.fields.get('content-encoding')], [[coding], coding])
      // The first text must not wait for the end, or nobody releases the others.
      const stream = await compressible(wire.messageStream, coding)
      const held = { ...stream, coded: { ...stream.coded!, held: 4 } }
      const texts = await parity.same([held], async (target, script) => {
        const stream = clientOf(target, { coding }).messages.stream(question)
        const all: string[] = []
        stream.on('text', (text) => {
          all.push(text)
          script.release()
        })
        await stream.done()
        return all.join('')
      })
      assert.equal(texts.value, wire.ANSWER)
      assert.deepEqual(texts.relayed.codings, [coding])
    })
  }

  test('its own login at the provider stays, the key of the gateway does not', async () => {
    const { value, relayed } = await parity.same(
      [wire.message],
      (target) => clientOf(target).messages.create(question),
      { pass: true },
    )
    assert.equal(value.stop_reason, 'end_turn')
    assert.deepEqual(relayed.requests[0]!.values('x-fluxgate-key'), [])
  })

  // The limit of every gateway that leaves bodies alone: this client follows an absolute URL that is in one.
  test('the results of a batch are fetched from the provider itself, with the key of the gateway', async () => {
    const results = async ({ url, key }: Target, script: Script) => {
      const client = clientOf({ url, key, headers: {} })
      const lines = await client.messages.batches.results('msgbatch_01').then(collect)
      assert.equal(lines[0]?.custom_id, 'first')
      return script.requests.map((request) => [request.target, request.values(keyField)[0]])
    }
    const replies = (providerUrl: string) => [wire.batch(`${providerUrl}/results`), wire.batchResults]
    const [straight, through] = await parity.both(replies, results)
    const credential = (key: string): string => (keyField === 'authorization' ? `Bearer ${key}` : key)
    assert.deepEqual(straight?.[1], ['/results', credential(PROVIDER_KEY)])
    assert.deepEqual(through?.[0], straight?.[0])
    assert.deepEqual(through?.[1], ['/results', credential(CLIENT_KEY)])
  })
}
