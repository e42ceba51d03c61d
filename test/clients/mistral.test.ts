/** Mistral's own client. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Mistral } from '@mistralai/mistralai'
import { SDKError } from '@mistralai/mistralai/models/errors'
import { FAILURES } from '../../src/failure.ts'
import * as wire from './mistral-wire.ts'
import { assertPause, collect, refusalText, startParity, type Target } from './parity.ts'
import { compressible } from './scripted-origin.ts'

const UPLOAD_BYTES = 25 * 1024 * 1024

const parity = await startParity()
const question = { model: 'mistral-large-latest', messages: [{ role: 'user' as const, content: 'Grüß Gott 👋' }] }
const parameters = { type: 'object', properties: { city: { type: 'string' }, unit: { type: 'string' } } }
const tools = [{ type: 'function' as const, function: { name: 'get_weather', parameters } }]

function clientOf(target: Target): Mistral {
  return new Mistral({ serverURL: target.url, apiKey: target.key })
}

/** This client takes other fields with a call only. */
function optionsOf(target: Target, coding?: string) {
  return { headers: { ...target.headers, ...(coding === undefined ? {} : { 'accept-encoding': coding }) } }
}

test('answers', async () => {
  const { value } = await parity.same([wire.chat], (target) => clientOf(target).chat.complete(question))
  assert.equal(value.choices[0]?.message?.content, wire.ANSWER)
})

test('streams, chunk by chunk', async () => {
  const held = { ...wire.chatStream, held: 3 }
  const { value } = await parity.same([held], async (target, script) => {
    const all = []
    for await (const event of await clientOf(target).chat.stream(question)) {
      all.push(event)
      if (event.data.choices[0]?.delta.content) script.release() // Only now the second text leaves the provider.
    }
    return all
  })
  assert.equal(value.map(({ data }) => data.choices[0]?.delta.content ?? '').join(''), wire.ANSWER)
  assert.equal(value.at(-1)?.data.usage?.totalTokens, 21)
})

test('streamed tool calls', async () => {
  const { value } = await parity.same([wire.toolStream], async (target) =>
    collect(await clientOf(target).chat.stream({ ...question, tools })),
  )
  const call = value.at(-1)?.data.choices[0]?.delta.toolCalls?.[0]
  assert.deepEqual(JSON.parse(String(call?.function.arguments)), wire.ARGUMENTS)
})

test('a client that leaves in the middle: the provider sees it', async () => {
  const { value } = await parity.sameError(
    [{ ...wire.chatStream, held: 3 }],
    async (target, script) => {
      const { signal, abort } = abortable()
      const events = await clientOf(target).chat.stream(question, { signal })
      try {
        for await (const event of events) if (event.data.choices[0]?.delta.content) abort()
      } finally {
        await script.connections[0]!.ended()
      }
    },
    { outcome: 'client_abort' },
  )
  assert.match(String(value), /abort/i)
})

test('a call that is given up before its answer: the provider sees it', async () => {
  const { value } = await parity.sameError(
    [{ ...wire.chat, held: 0 }],
    async (target, script) => {
      const { signal, abort } = abortable()
      const call = clientOf(target).chat.complete(question, { signal })
      await script.requested()
      abort()
      await assert.rejects(call)
      await script.connections[0]!.ended()
      return call
    },
    { outcome: 'client_abort' },
  )
  assert.equal((value as Error).name, 'RequestAbortedError')
})

test('a stream that the provider breaks off', async () => {
  const { value } = await parity.sameError(
    [{ ...wire.chatStream, cut: 4 }],
    async (target) => collect(await clientOf(target).chat.stream(question)),
    { outcome: 'upstream_abort' },
  )
  assert.match(String(value), /terminated/)
})

for (const status of wire.ERROR_STATUSES) {
  test(`the provider's ${status}`, async () => {
    for (const method of ['complete', 'stream'] as const) {
      const { value, relayed } = await parity.sameError([wire.error(status)], (target) =>
        clientOf(target).chat[method](question),
      )
      assert.ok(value instanceof SDKError)
      assert.equal(value.statusCode, status)
      assert.deepEqual(JSON.parse(value.body), wire.errorBody(status))
      assert.equal(relayed.requests.length, 1) // Unless it is told to, this client does not try again.
    }
  })
}

test('obeys retry-after if it is told to try again', async () => {
  const backoff = { initialInterval: 1, maxInterval: 5000, exponent: 1, maxElapsedTime: 10_000 }
  const retries = { strategy: 'backoff' as const, backoff }
  const called = await parity.same([wire.error(429, 'retry-after: 1'), wire.chat], (target) =>
    clientOf(target).chat.complete(question, { retries }),
  )
  assert.equal(called.value.choices[0]?.message?.content, wire.ANSWER)
  for (const script of [called.direct, called.relayed]) {
    assert.equal(script.requests.length, 2)
    assertPause(script, 1000) // By itself it would wait for less.
  }
  const { relayed } = await parity.sameError([wire.error(529, 'retry-after: 1')], (target) =>
    clientOf(target).chat.complete(question, { retries }),
  )
  assert.equal(relayed.requests.length, 1) // It does not know this status.
})

test('refusals of the gateway', async () => {
  for (const [target, code] of [
    [parity.wrongKey, 'unauthorized'],
    [parity.unknownPath, 'no_route'],
    [parity.down, 'connect_refused'],
  ] as const) {
    const error = await parity.refused(target, code, (to) => clientOf(to).chat.complete(question))
    assert.ok(error instanceof SDKError)
    assert.equal(error.statusCode, FAILURES[code].status)
    assert.ok(error.message.includes(`"${refusalText(code)}"`), error.message)
    assert.equal(error.headers.get('x-fluxgate-error'), `fluxgate_${code}`)
  }
})

test('an upload of 25 MiB', async () => {
  const content = new Uint8Array(UPLOAD_BYTES).fill(0x61)
  const upload = (to: Target) =>
    clientOf(to).files.upload({ file: { fileName: 'a.bin', content }, purpose: 'batch' }, optionsOf(to))
  const { value, relayed } = await parity.same([wire.file], upload)
  assert.equal(value.filename, 'a.bin')
  assert.ok(relayed.requests[0]!.message.bodyBytes > UPLOAD_BYTES)
  const error = await parity.refused(parity.wrongKey, 'unauthorized', upload)
  assert.ok(error instanceof SDKError)
  assert.equal(error.statusCode, 401)
})

for (const coding of ['gzip', 'br'] as const) {
  test(`bodies in ${coding}`, async () => {
    const { value, relayed } = await parity.same([await compressible(wire.chat, coding)], (target) =>
      clientOf(target).chat.complete(question, optionsOf(target, coding)),
    )
    assert.deepEqual([value.choices[0]?.message?.content, relayed.codings], [wire.ANSWER, [coding]])
    const stream = await compressible(wire.chatStream, coding)
    const held = { ...stream, coded: { ...stream.coded!, held: 3 } }
    const texts = await parity.same([held], async (target, script) => {
      let text = ''
      for await (const { data } of await clientOf(target).chat.stream(question, optionsOf(target, coding))) {
        text += data.choices[0]?.delta.content
        if (text !== '') script.release()
      }
      return text
    })
    assert.deepEqual([texts.value, texts.relayed.codings], [wire.ANSWER, [coding]])
  })
}

test('its own login at the provider stays, the key of the gateway does not', async () => {
  const { value, relayed } = await parity.same(
    [wire.chat],
    (target) => clientOf(target).chat.complete(question, optionsOf(target)),
    { pass: true },
  )
  assert.equal(value.choices[0]?.message?.content, wire.ANSWER)
  assert.deepEqual(relayed.requests[0]!.values('x-fluxgate-key'), [])
})

function abortable() {
  const controller = new AbortController()
  return { signal: controller.signal, abort: () => controller.abort() }
}
