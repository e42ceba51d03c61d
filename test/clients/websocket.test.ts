/** The clients of WebSockets, each twice: straight at a scripted provider and through the gateway. Both ends must see the same. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { GoogleGenAI, type LiveServerMessage, Modality } from '@google/genai'
import OpenAI from 'openai'
import { OpenAIRealtimeWS } from 'openai/realtime/ws'
import { ResponsesWS } from 'openai/resources/responses/ws'
import { WebSocket, WebSocketServer } from 'ws'
import { within } from '../support/deadline.ts'
import { CLIENT_KEY, PROVIDER_KEY, startGateway } from '../support/gateway.ts'

/** What a provider sees of a connection. */
interface Seen {
  readonly target: string
  readonly lines: readonly string[]
  readonly messages: string[]
  close: string
}

type Play = (socket: WebSocket, message: string, isBinary: boolean) => void

interface Provider {
  readonly port: number
  readonly seen: Seen[]
  /** What it does with each message. */
  play: Play
}

async function startProvider(): Promise<Provider> {
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    perMessageDeflate: { threshold: 1 },
    handleProtocols: (offered) => [...offered].find((each) => !each.startsWith('openai-insecure')) ?? false,
  })
  await once(server, 'listening')
  const provider: Provider = { port: (server.address() as AddressInfo).port, seen: [], play: () => {} }
  server.on('connection', (socket: WebSocket, request: IncomingMessage) => {
    const lines: string[] = []
    for (let i = 0; i < request.rawHeaders.length; i += 2) {
      lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`)
    }
    const seen: Seen = { target: request.url!, lines, messages: [], close: 'open' }
    provider.seen.push(seen)
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      seen.messages.push(`${isBinary ? 'binary' : 'text'} ${data.toString('latin1')}`)
      provider.play(socket, data.toString(), isBinary)
    })
    socket.on('ping', (data: Buffer) => seen.messages.push(`ping ${data.toString('latin1')}`))
    socket.on('close', (code: number, reason: Buffer) => {
      seen.close = `${code} ${reason}`
    })
  })
  after(() => {
    for (const socket of server.clients) socket.terminate()
    server.close()
  })
  return provider
}

const [straight, behind] = await Promise.all([startProvider(), startProvider()])
const gateway = await startGateway({
  upstreams: {
    provider: {
      request_path: '/provider',
      target_url: `http://127.0.0.1:${behind.port}`,
      api_key: PROVIDER_KEY,
      websocket: true,
      query_credential: true,
    },
  },
})
after(() => gateway.stop())

interface Target {
  /** Host, port and prefix. */
  readonly at: string
  readonly key: string
}

/** Plays it twice and asserts that client and provider see the same both times. */
async function same<T>(play: Play, client: (target: Target) => Promise<T>): Promise<T> {
  const told: unknown[] = []
  const values: T[] = []
  for (const [provider, target] of [
    [straight, { at: `127.0.0.1:${straight.port}`, key: PROVIDER_KEY }],
    [behind, { at: `127.0.0.1:${gateway.port}/provider`, key: CLIENT_KEY }],
  ] as const) {
    provider.play = play
    const before = provider.seen.length
    values.push(await within(client(target), 'the client'))
    const seen = provider.seen.slice(before)
    assert.equal(seen.length, 1)
    // The close of its side comes a moment after the client's.
    while (seen[0]!.close === 'open') await new Promise(setImmediate)
    const { target: path, lines, messages, close } = seen[0]!
    const stable = lines.filter((line) => !/^(?:sec-websocket-key|host): /i.test(line))
    // Google's client puts a slash behind an authority that has no path.
    told.push({ path: path.replace(/^\/+/, '/'), lines: stable, messages, close })
  }
  assert.deepEqual(told[1], told[0])
  assert.deepEqual(values[1], values[0])
  return values[1]!
}

const echo: Play = (socket, message, isBinary) => {
  if (message === 'close me') socket.close(4_321, 'as you wish')
  else socket.send(isBinary ? Buffer.from(message) : message)
}

interface Heard {
  readonly messages: string[]
  readonly protocol: string
  readonly extensions: string
  readonly close: string
}

/** Sends these, each when the answer to the one before it has come, and asks to be closed. */
async function converse(socket: WebSocket, messages: readonly (string | Buffer)[]): Promise<Heard> {
  const heard: string[] = []
  const left = [...messages, 'close me']
  const sendNext = (): void => {
    const next = left.shift()
    if (next !== undefined) socket.send(next)
  }
  socket.on('open', () => {
    socket.ping('are you there')
  })
  socket.on('pong', (data: Buffer) => {
    heard.push(`pong ${data}`)
    sendNext()
  })
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    heard.push(`${isBinary ? 'binary' : 'text'} ${data.toString('latin1')}`)
    sendNext()
  })
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer]
  return { messages: heard, protocol: socket.protocol, extensions: socket.extensions, close: `${code} ${reason}` }
}

const BEARER = (key: string) => ({ headers: { Authorization: `Bearer ${key}` } })
const MESSAGES = ['Grüß Gott 👋', Buffer.from([0, 255, 128]), '', 'x'.repeat(1_000_000), Buffer.alloc(300_000, 1)]

for (const perMessageDeflate of [false, true]) {
  test(`ws${perMessageDeflate ? ', compressed' : ''}: messages, pings, protocols and closes`, async () => {
    const heard = await same(echo, ({ at, key }) =>
      converse(new WebSocket(`ws://${at}/v1?a=%2F`, ['a', 'b'], { ...BEARER(key), perMessageDeflate }), MESSAGES),
    )
    assert.deepEqual([heard.messages.length, heard.protocol, heard.close], [6, 'a', '4321 as you wish'])
    assert.equal(heard.extensions, perMessageDeflate ? 'permessage-deflate' : '')
  })
}

test("ws: the provider's key, and the record", async () => {
  await same(echo, ({ at, key }) => converse(new WebSocket(`ws://${at}/v1`, BEARER(key)), ['hello']))
  assert.ok(behind.seen.at(-1)!.lines.includes(`Authorization: Bearer ${PROVIDER_KEY}`))
  const record = await gateway.until(() => gateway.records().at(-1), 'its record')
  assert.deepEqual([record.status, record.outcome], [101, 'complete'])
})

test('ws: a client that is killed is seen to be', async () => {
  const killed = await same(
    () => {},
    async ({ at, key }) => {
      const socket = new WebSocket(`ws://${at}/v1`, BEARER(key))
      await once(socket, 'open')
      socket.terminate()
      return await once(socket, 'close').then(([code]) => code)
    },
  )
  assert.equal(killed, 1006)
  assert.equal(behind.seen.at(-1)!.close, '1006 ')
})

test('ws: a wrong key', async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/provider`, BEARER('wrong'))
  const [error] = (await once(socket, 'error')) as [Error]
  assert.match(error.message, /401/)
})

test("the browser's WebSocket with OpenAI's protocols: the key is swapped among them, and never comes back", async () => {
  const protocols = (key: string) => ['realtime', `openai-insecure-api-key.${key}`, 'openai-organization.o']
  const heard = await same(
    (socket) => socket.close(1000, 'enough'),
    ({ at, key }) =>
      new Promise((resolve, reject) => {
        const socket = new globalThis.WebSocket(`ws://${at}/v1/realtime?model=m`, protocols(key))
        socket.onopen = () => socket.send('hello')
        socket.onerror = reject
        socket.onclose = ({ code, reason }) => resolve([socket.protocol, code, reason])
      }),
  )
  assert.deepEqual(heard, ['realtime', 1000, 'enough'])
  const { lines } = behind.seen.at(-1)!
  assert.ok(lines.some((line) => line.includes(PROVIDER_KEY)) && !lines.some((line) => line.includes(CLIENT_KEY)))
})

const session = { type: 'session.created', event_id: 'e1', session: { id: 's1' } }
const delta = { type: 'response.output_text.delta', event_id: 'e2', delta: 'Hello' }

test("OpenAI's Realtime client", async () => {
  const events = await same(
    (socket) => {
      for (const event of [session, delta]) socket.send(JSON.stringify(event))
    },
    async ({ at, key }) => {
      const client = new OpenAI({ baseURL: `https://${at}/v1`, apiKey: key })
      // It wants TLS for any base URL: here its socket has none.
      const plain = ({ host, port }: { host?: string; port?: number }) => net.connect(Number(port), host)
      const options = { createConnection: plain as never }
      const realtime = new OpenAIRealtimeWS({ model: 'gpt-realtime', options }, client)
      const heard: string[] = []
      realtime.socket.on('open', () => realtime.send({ type: 'session.update', session: { type: 'realtime' } }))
      realtime.on('event', (event) => {
        heard.push(JSON.stringify(event))
        if (event.type === delta.type) realtime.close({ code: 1000, reason: 'done' })
      })
      await once(realtime.socket, 'close')
      return heard
    },
  )
  assert.deepEqual(
    events.map((event) => JSON.parse(event)),
    [session, delta],
  )
  assert.equal(behind.seen.at(-1)!.target, '/v1/realtime?model=gpt-realtime')
})

test("OpenAI's Responses client", async () => {
  const done = { type: 'response.completed', sequence_number: 1, response: { id: 'r1', output: [] } }
  const types = await same(
    (socket) => socket.send(JSON.stringify(done)),
    async ({ at, key }) => {
      const client = new OpenAI({ baseURL: `http://${at}/v1`, apiKey: key })
      const responses = new ResponsesWS(client)
      const heard: string[] = []
      const closed = new Promise<void>((resolve) => {
        responses.on('close', () => resolve())
      })
      responses.on('event', (event) => {
        heard.push(event.type)
        responses.close({ code: 1000, reason: 'done' })
      })
      responses.send({ type: 'response.create', model: 'gpt-5', input: 'hello' })
      await closed
      return heard
    },
  )
  assert.deepEqual(types, ['response.completed'])
})

test("Google's Live client sends its key in the query", async () => {
  const answer = { serverContent: { modelTurn: { parts: [{ text: 'Hello' }] }, turnComplete: true } }
  const texts = await same(
    (socket, message) => {
      const isSetup = message.startsWith('{"setup"')
      socket.send(JSON.stringify(isSetup ? { setupComplete: {} } : answer))
    },
    async ({ at, key }) => {
      const client = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: `http://${at}` } })
      const heard: string[] = []
      const closed = Promise.withResolvers<void>()
      const live = await client.live.connect({
        model: 'gemini-live',
        config: { responseModalities: [Modality.TEXT] },
        callbacks: {
          onmessage(message: LiveServerMessage) {
            if (message.serverContent === undefined) return
            heard.push(message.serverContent.modelTurn?.parts?.[0]?.text ?? '')
            live.close()
          },
          onclose: () => closed.resolve(),
        },
      })
      live.sendClientContent({ turns: 'hello' })
      await closed.promise
      return heard
    },
  )
  assert.deepEqual(texts, ['Hello'])
  const { target } = behind.seen.at(-1)!
  assert.match(target, /^\/+ws\/google\.ai\.generativelanguage\..*\.BidiGenerateContent\?key=/)
  assert.ok(target.endsWith(`?key=${PROVIDER_KEY}`))
  for (const key of [CLIENT_KEY, PROVIDER_KEY]) assert.ok(!gateway.log().includes(key))
})
