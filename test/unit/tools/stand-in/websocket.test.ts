import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { after, test } from 'node:test'
import { GoogleGenAI, type LiveServerMessage, Modality } from '@google/genai'
import fc from 'fast-check'
import OpenAI from 'openai'
import { OpenAIRealtimeWS } from 'openai/realtime/ws'
import { ResponsesWS } from 'openai/resources/responses/ws'
import { WebSocket } from 'ws'
import { FrameReader, frame } from '../../../../src/tools/stand-in/frames.ts'
import { STAND_IN_KEY, startStandIn } from '../../../../src/tools/stand-in/stand-in.ts'
import { within } from '../../../support/deadline.ts'

const standIn = await startStandIn({ tokenDelayMs: 0 })
after(() => standIn.close())

const at = `127.0.0.1:${standIn.port}`
const headers = { Authorization: `Bearer ${STAND_IN_KEY}` }

test('on a path that it does not know there is an echo', async () => {
  const socket = new WebSocket(`ws://${at}/anything`, ['a', 'b'], { headers })
  const heard: string[] = []
  const messages = ['Grüß Gott', Buffer.from([0, 255]), 'x'.repeat(100_000), '']
  socket.on('open', () => {
    for (const message of messages) socket.send(message)
    socket.send('in ', { fin: false })
    socket.send('pieces', { fin: true })
    socket.ping('ping')
  })
  socket.on('message', (data: Buffer, isBinary: boolean) => heard.push(`${isBinary} ${data.toString('latin1')}`))
  socket.on('pong', (data: Buffer) => {
    heard.push(`pong ${data}`)
    socket.close(4_000, 'enough')
  })
  const [code, reason] = await within(once(socket, 'close'), 'the close')
  const latin1 = (text: string): string => Buffer.from(text).toString('latin1')
  assert.deepEqual(heard, [
    `false ${latin1('Grüß Gott')}`,
    'true \0\xff',
    `false ${'x'.repeat(100_000)}`,
    'false ',
    'false in pieces',
    'pong ping',
  ])
  assert.deepEqual([socket.protocol, code, `${reason}`], ['a', 4_000, 'enough'])
})

test('it takes its key among the protocols, and no other one anywhere', async () => {
  const protocols = ['realtime', `openai-insecure-api-key.${STAND_IN_KEY}`]
  const socket = new WebSocket(`ws://${at}/v1/realtime`, protocols)
  const [greeting] = await within(once(socket, 'message'), 'a greeting')
  assert.deepEqual([JSON.parse(`${greeting}`).type, socket.protocol], ['session.created', 'realtime'])
  socket.terminate()
  for (const more of [{}, { headers: { Authorization: 'Bearer wrong' } }]) {
    const [error] = await within(once(new WebSocket(`ws://${at}/v1/realtime`, more), 'error'), 'an error')
    assert.match(`${error}`, /401/)
  }
})

test("OpenAI's Realtime client has a conversation", async () => {
  const client = new OpenAI({ baseURL: `https://${at}/v1`, apiKey: STAND_IN_KEY })
  const plain = ({ host, port }: { host?: string; port?: number }) => net.connect(Number(port), host)
  const realtime = new OpenAIRealtimeWS({ model: 'stand-in-1', options: { createConnection: plain as never } }, client)
  let text = ''
  realtime.on('session.created', () => {
    const content = [{ type: 'input_text' as const, text: 'Hello!' }]
    realtime.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content } })
    realtime.send({ type: 'response.create' })
  })
  realtime.on('response.output_text.delta', ({ delta }) => {
    text += delta
  })
  const done = Promise.withResolvers<number | undefined>()
  realtime.on('response.done', ({ response }) => done.resolve(response.usage?.input_tokens))
  realtime.on('error', done.reject)
  assert.equal(await within(done.promise, 'the response'), 1)
  assert.match(text, /^You said: Hello!/)
  realtime.close()
})

test("OpenAI's Responses client is answered, and refused", async () => {
  const responses = new ResponsesWS(new OpenAI({ baseURL: `http://${at}/v1`, apiKey: STAND_IN_KEY }))
  const done = Promise.withResolvers<string>()
  responses.on('response.completed', ({ response }) => done.resolve(JSON.stringify(response.output)))
  responses.on('error', done.reject)
  responses.send({ type: 'response.create', model: 'stand-in-1', input: 'Hello!' })
  assert.match(await within(done.promise, 'the response'), /You said: Hello!/)
  const failed = Promise.withResolvers<unknown>()
  responses.on('error', failed.resolve)
  responses.send({ type: 'response.create', model: 'stand-in-429', input: 'Hello!' })
  assert.match(String(await within(failed.promise, 'the error')), /Rate limit reached/)
  responses.close()
})

test("Google's Live client has a conversation", async () => {
  const client = new GoogleGenAI({ apiKey: STAND_IN_KEY, httpOptions: { baseUrl: `http://${at}` } })
  let text = ''
  const done = Promise.withResolvers<number | undefined>()
  const live = await within(
    client.live.connect({
      model: 'stand-in-1',
      config: { responseModalities: [Modality.TEXT] },
      callbacks: {
        onmessage({ serverContent, usageMetadata }: LiveServerMessage) {
          text += serverContent?.modelTurn?.parts?.[0]?.text ?? ''
          if (serverContent?.turnComplete) done.resolve(usageMetadata?.promptTokenCount)
        },
      },
    }),
    'the setup',
  )
  live.sendClientContent({ turns: 'Hello there!' })
  assert.equal(await within(done.promise, 'the answer'), 2)
  assert.match(text, /^You said: Hello there!/)
  live.close()
})

/** A frame of a client: masked. */
function masked(opcode: number, payload: Buffer, isFinal = true): Buffer {
  const server = frame('text', payload)
  const headLength = server.length - payload.length
  const head = Buffer.from(server.subarray(0, headLength))
  head[0] = (isFinal ? 0x80 : 0) | opcode
  head[1]! |= 0x80
  const mask = Buffer.from([1, 2, 3, 4])
  return Buffer.concat([head, mask, payload.map((octet, i) => octet ^ mask[i & 3]!)])
}

const told = (reader: FrameReader, pieces: readonly Buffer[]): string[] =>
  pieces.flatMap((piece) => reader.read(piece).map(({ kind, payload }) => `${kind} ${payload.toString('hex')}`))

test('frames are read whole, however they come', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ payload: fc.uint8Array({ maxLength: 300 }), isText: fc.boolean() })),
      fc.integer({ min: 1, max: 50 }),
      (messages, size) => {
        const bytes = Buffer.concat(messages.map(({ payload, isText }) => masked(isText ? 1 : 2, Buffer.from(payload))))
        const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
          bytes.subarray(i * size, (i + 1) * size),
        )
        const expected = messages.map(
          ({ payload, isText }) => `${isText ? 'text' : 'binary'} ${Buffer.from(payload).toString('hex')}`,
        )
        assert.deepEqual(told(new FrameReader(), pieces), expected)
      },
    ),
  )
})

for (const [what, bytes, expected] of [
  ['that are not masked', frame('text', Buffer.from('a')), ['close 03ea']],
  ['with a reserved bit', Buffer.from([0xc1, 0x80, 0, 0, 0, 0]), ['close 03ea']],
  ['with an unknown opcode', masked(3, Buffer.from('a')), ['close 03ea']],
  ['that go on with nothing', masked(0, Buffer.from('a')), ['close 03ea']],
  [
    'that begin in the middle',
    Buffer.concat([masked(1, Buffer.from('a'), false), masked(1, Buffer.from('b'))]),
    ['close 03ea'],
  ],
  ['that ping in pieces', masked(9, Buffer.from('a'), false), ['close 03ea']],
  ['that are too large', Buffer.from([0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]), ['close 03f1']],
  ['behind a close', Buffer.concat([masked(8, Buffer.from([3, 232])), masked(1, Buffer.from('a'))]), ['close 03e8']],
  ['that answer a ping', masked(10, Buffer.from('a')), []],
] as const) {
  test(`frames ${what}`, () => assert.deepEqual(told(new FrameReader(), [bytes]), expected))
}
