/** What is the same for all three APIs: the key, the choice of dialect, the limits, and the records. */
import assert from 'node:assert/strict'
import { on, once } from 'node:events'
import { connect } from 'node:net'
import { after, test } from 'node:test'
import { STAND_IN_KEY, startStandIn } from '../../../../src/tools/stand-in/stand-in.ts'

const standIn = await startStandIn({ tokenDelayMs: 0 })
after(() => standIn.close())

const origin = `http://127.0.0.1:${standIn.port}`
const VERSION = { 'anthropic-version': '2023-06-01' }
const CHAT = { path: '/v1/chat/completions', headers: { authorization: `Bearer ${STAND_IN_KEY}` } }
const MESSAGES = { path: '/v1/messages', headers: { 'x-api-key': STAND_IN_KEY, ...VERSION } }
const GENERATION = { path: '/v1/models/stand-in-1:generateContent', headers: { 'x-goog-api-key': STAND_IN_KEY } }

type Body = Record<string, unknown> & { error?: Record<string, unknown> }

async function ask(path: string, headers: Record<string, string>, body?: string) {
  const response = await fetch(origin + path, body === undefined ? { headers } : { method: 'POST', headers, body })
  return { status: response.status, body: (await response.json()) as Body }
}

test('takes its key in any of the places where a provider looks for one', async () => {
  const places = [
    { authorization: `Bearer ${STAND_IN_KEY}` },
    { authorization: `bearer ${STAND_IN_KEY}` },
    { 'x-api-key': STAND_IN_KEY },
    { 'api-key': STAND_IN_KEY },
    { 'x-goog-api-key': STAND_IN_KEY },
  ]
  for (const headers of places) assert.equal((await ask('/v1/models', headers)).status, 200)
  assert.equal((await ask(`/v1beta/models?key=${STAND_IN_KEY}`, {})).status, 200)
})

test('takes no other key, and says so in the dialect of the API', async () => {
  for (const authorization of ['', `Basic ${STAND_IN_KEY}`, `Bearer ${STAND_IN_KEY}x`, STAND_IN_KEY]) {
    const { status, body } = await ask('/v1/models', { authorization })
    assert.deepEqual([status, body.error?.code, body.error?.type], [401, 'invalid_api_key', 'invalid_request_error'])
  }
  const anthropic = await ask('/v1/models', { authorization: 'Bearer wrong', ...VERSION })
  assert.deepEqual(
    [anthropic.status, anthropic.body.type, anthropic.body.error?.type],
    [401, 'error', 'authentication_error'],
  )
  const gemini = await ask('/v1/models', { 'x-goog-api-key': 'wrong' })
  assert.deepEqual([gemini.status, gemini.body.error?.status], [401, 'UNAUTHENTICATED'])
})

test('demands the key that it was given', async () => {
  const other = await startStandIn({ providerKey: 'another' })
  const statusWith = async (key: string) => {
    const response = await fetch(`http://127.0.0.1:${other.port}/v1/models`, { headers: { 'x-api-key': key } })
    await response.arrayBuffer()
    return response.status
  }
  assert.deepEqual([await statusWith('another'), await statusWith(STAND_IN_KEY)], [200, 401])
  await other.close()
})

test('answers /v1/models to each client in its own shape', async () => {
  const shapes = []
  for (const headers of [{}, VERSION, { 'x-goog-api-client': 'google-genai-sdk' }]) {
    shapes.push(Object.keys((await ask('/v1/models', { 'x-api-key': STAND_IN_KEY, ...headers })).body))
  }
  assert.deepEqual(shapes, [['object', 'data'], ['data', 'has_more', 'first_id', 'last_id'], ['models']])
})

test('refuses a body that is no JSON object, or has nothing to answer to', async () => {
  for (const { path, headers } of [CHAT, MESSAGES, GENERATION]) {
    for (const text of ['', '{"model":', '[]', '"x"', 'null', '{}', '{"model":"x","messages":7,"contents":{}}']) {
      const { status, body } = await ask(path, headers, text)
      assert.equal(status, 400, `${path} ${text}`)
      assert.ok(body.error?.type === 'invalid_request_error' || body.error?.status === 'INVALID_ARGUMENT')
    }
  }
})

test("wants Anthropic's version, as Anthropic does", async () => {
  const { status, body } = await ask('/v1/messages', { 'x-api-key': STAND_IN_KEY }, '{}')
  assert.deepEqual([status, body.error?.message], [400, 'anthropic-version: header is required'])
})

test('refuses a body over 64 MiB, announced or not', { timeout: 5000 }, async () => {
  const socket = connect(standIn.port, '127.0.0.1')
  socket.write(`POST ${CHAT.path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${CHAT.headers.authorization}\r\n`)
  socket.write(`Content-Length: ${64 * 1024 * 1024 + 1}\r\n\r\n`)
  const [early] = await once(socket, 'data') // Not a byte of the body has been sent.
  assert.match(String(early), /^HTTP\/1\.1 413 /)
  socket.destroy()

  const chunks = Array.from({ length: 65 }, () => Buffer.alloc(1024 * 1024, ' '))
  const init = { method: 'POST', headers: MESSAGES.headers, body: ReadableStream.from(chunks), duplex: 'half' } as const
  const response = await fetch(origin + MESSAGES.path, init)
  assert.equal(response.status, 413)
  assert.equal(((await response.json()) as Body).error?.type, 'request_too_large')
})

test('keeps the last hundred requests, without the values of their fields', async () => {
  for (let index = 0; index <= 100; index++) await ask(`/v1/models/${index}?key=secret`, CHAT.headers)
  assert.equal(standIn.requests.length, 100)
  const [first, last] = [standIn.requests[0], standIn.requests.at(-1)]
  assert.deepEqual([first?.path, last?.path, last?.method], ['/v1/models/1', '/v1/models/100', 'GET'])
  assert.ok(last?.headerNames.includes('authorization'))
  assert.doesNotMatch(JSON.stringify(standIn.requests), /secret|stand-in-provider-key/)
  await last?.ended
  assert.deepEqual([last?.completed, last?.aborted], [true, false])
})

test('notices a client that leaves in the middle of its upload', { timeout: 5000 }, async () => {
  const socket = connect(standIn.port, '127.0.0.1')
  const head = `POST ${CHAT.path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${CHAT.headers.authorization}\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n`
  socket.write(head)
  await once(socket, 'data') // The 100: the request has got there.
  socket.destroy()
  const record = standIn.requests.at(-1)
  await record?.ended
  assert.deepEqual([record?.aborted, record?.completed], [true, false])
})

test('stops writing when its reader has left', { timeout: 5000 }, async () => {
  const patient = await startStandIn({ tokenDelayMs: 60_000 })
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const body = '{"model":"x","messages":[{"role":"user","content":"hi"}],"stream":true}'
  const socket = connect(patient.port, '127.0.0.1')
  socket.write(`POST ${CHAT.path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${CHAT.headers.authorization}\r\n`)
  socket.write(`Content-Length: ${body.length}\r\n\r\n${body}`)
  for await (const [data] of on(socket, 'data')) if (String(data).includes('"role":"assistant"')) break
  const whileWaiting = timers()
  socket.end() // A half-close is leaving, too.
  const record = patient.requests[0]
  await record?.ended
  assert.equal(record?.aborted, true)
  assert.equal(timers(), whileWaiting - 1)
  await patient.close()
})

test('does not start on a port that is taken', async () => {
  await assert.rejects(startStandIn({ port: standIn.port }), { code: 'EADDRINUSE' })
})
