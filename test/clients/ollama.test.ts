/** Ollama's own client. It has no option for a key, but one for header fields. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ollama } from 'ollama'
import { FAILURES } from '../../src/failure.ts'
import * as wire from './ollama-wire.ts'
import { collect, refusalText, startParity, type Target } from './parity.ts'
import { compressible } from './scripted-origin.ts'

const parity = await startParity()
const question = { model: 'llama5', messages: [{ role: 'user', content: 'Grüß Gott 👋' }] }
const streamed = { ...question, stream: true as const }
const properties = { city: { type: 'string' }, unit: { type: 'string' } }
const tools = [{ type: 'function', function: { name: 'get_weather', parameters: { type: 'object', properties } } }]

function clientOf(target: Target, coding?: string): Ollama {
  const authorization = { authorization: `Bearer ${target.key}` }
  const headers = {
    ...authorization,
    ...target.headers,
    ...(coding === undefined ? {} : { 'accept-encoding': coding }),
  }
  return new Ollama({ host: target.url, headers })
}

/** What the client throws for a status; it does not export the class. */
function assertResponseError(error: unknown, status: number): { error: unknown; message: string } {
  const thrown = error as { name: string; status_code: number; error: unknown; message: string }
  assert.deepEqual([thrown.name, thrown.status_code], ['ResponseError', status])
  return thrown
}

test('answers', async () => {
  const { value } = await parity.same([wire.chat], (target) => clientOf(target).chat(question))
  assert.equal(value.message.content, wire.ANSWER)
  const models = await parity.same([wire.models], (target) => clientOf(target).list())
  assert.equal(models.value.models[0]?.name, 'llama5')
})

test('streams, line by line', async () => {
  const { value } = await parity.same([{ ...wire.chatStream, held: 1 }], async (target, script) => {
    const all = []
    for await (const part of await clientOf(target).chat(streamed)) {
      all.push(part)
      script.release() // Only now the second line leaves the provider.
    }
    return all
  })
  assert.equal(value.map((part) => part.message.content).join(''), wire.ANSWER)
  assert.equal(value.at(-1)?.eval_count, 12)
})

test('streamed tool calls', async () => {
  const { value } = await parity.same([wire.toolStream], async (target) =>
    collect(await clientOf(target).chat({ ...streamed, tools })),
  )
  assert.deepEqual(value[0]?.message.tool_calls?.[0]?.function.arguments, wire.ARGUMENTS)
})

test('a client that leaves in the middle: the provider sees it', async () => {
  const { value } = await parity.sameError(
    [{ ...wire.chatStream, held: 1 }],
    async (target, script) => {
      const client = clientOf(target)
      try {
        for await (const _ of await client.chat(streamed)) client.abort()
      } finally {
        await script.connections[0]!.ended()
      }
    },
    { outcome: 'client_abort' },
  )
  assert.equal((value as Error).name, 'AbortError')
})

test('a stream that the provider breaks off', async () => {
  const { value } = await parity.sameError(
    [{ ...wire.chatStream, cut: 2 }],
    async (target) => collect(await clientOf(target).chat(streamed)),
    { outcome: 'upstream_abort' },
  )
  assert.match(String(value), /terminated/)
})

for (const status of wire.ERROR_STATUSES) {
  test(`the provider's ${status}`, async () => {
    for (const request of [question, streamed]) {
      const { value, relayed } = await parity.sameError([wire.error(status)], (target) =>
        clientOf(target).chat(request as typeof streamed),
      )
      assert.equal(assertResponseError(value, status).message, wire.errorText(status))
      assert.equal(relayed.requests.length, 1) // This client never tries again.
    }
  })
}

test('refusals of the gateway', async () => {
  for (const [target, code] of [
    [parity.wrongKey, 'unauthorized'],
    [parity.unknownPath, 'no_route'],
    [parity.down, 'connect_refused'],
  ] as const) {
    const thrown = await parity.refused(target, code, (to) => clientOf(to).chat(question))
    const { error, message } = assertResponseError(thrown, FAILURES[code].status)
    assert.equal((error as { message: string }).message, refusalText(code))
    // It prints no error but a text, and every other client wants an object: the price of one answer for all.
    assert.equal(message, '[object Object]')
  }
})

for (const coding of ['gzip', 'br'] as const) {
  test(`bodies in ${coding}`, async () => {
    const { value, relayed } = await parity.same([await compressible(wire.chat, coding)], (target) =>
      clientOf(target, coding).chat(question),
    )
    assert.deepEqual([value.message.content, relayed.codings], [wire.ANSWER, [coding]])
    const stream = await compressible(wire.chatStream, coding)
    const held = { ...stream, coded: { ...stream.coded!, held: 1 } }
    const texts = await parity.same([held], async (target, script) => {
      let text = ''
      for await (const part of await clientOf(target, coding).chat(streamed)) {
        text += part.message.content
        script.release()
      }
      return text
    })
    assert.deepEqual([texts.value, texts.relayed.codings], [wire.ANSWER, [coding]])
  })
}

test('its own login at the provider stays, the key of the gateway does not', async () => {
  const { value, relayed } = await parity.same([wire.chat], (target) => clientOf(target).chat(question), { pass: true })
  assert.equal(value.message.content, wire.ANSWER)
  assert.deepEqual(relayed.requests[0]!.values('x-fluxgate-key'), [])
})
