import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, upTo } from '../support/bytes.ts'
import { CLIENT_KEY, type LoggedRecord, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, type RawClient } from '../support/raw-client.ts'

/*
 * Clients that do not read what they are answered, and leave in one way or another while it waits: nobody keeps a place for good,
 * and every exchange has its record.
 */

test('a refusal that nobody reads gives its place back, also where the client has half-closed', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({ server: { max_connections: 4 }, ...upTo(origin) })
  const tiny = 'GET / HTTP/1.1\r\nHost:a\r\n\r\n'
  const stuck: RawClient[] = []
  try {
    for (let i = 0; i < 4; i++) {
      const client = await connect(gateway.port, { paused: true })
      stuck.push(client)
      // More answers than the kernel has room for.
      void client.write(tiny.repeat(30_000))
      void client.fin()
    }
    // Refused with 503 as long as all places are held: five seconds at most for an answer that is not read.
    await gateway.until(() => gateway.records().length > 0, 'a record')
    for (let isServed = false; !isServed; ) {
      using client = await connect(gateway.port)
      void client.write(get('/up/x'))
      isServed = (await client.response()).status === 200
      if (!isServed) await new Promise((resolve) => setTimeout(resolve, 200))
    }
    gateway.signal('SIGTERM')
    assert.equal((await gateway.exited).code, 0)
  } finally {
    for (const client of stuck) client[Symbol.dispose]()
  }
})

const BODY_BYTES = 4 * 1024 * 1024

/** A client whose answer is whole at the gateway, and waits for it. */
async function withUnreadTail(port: number, answered: Promise<void>): Promise<RawClient> {
  const client = await connect(port, { paused: true })
  void client.write(get('/up/x'))
  await answered
  await client.fin()
  return client
}

interface CutAnswer {
  readonly code: number | null
  readonly record: LoggedRecord | undefined
  readonly ending: RawClient['ending']
  readonly log: string
}

/** An answer of 4 MiB whose last bytes wait in the gateway when these signals come. */
async function cutAnswer(server: object, signals: readonly NodeJS.Signals[]): Promise<CutAnswer> {
  const answered = Promise.withResolvers<void>()
  await using origin = await startOrigin(async ({ connection }) => {
    await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BODY_BYTES}\r\n\r\n`)
    await connection.write(Buffer.alloc(BODY_BYTES))
    answered.resolve()
  })
  await using gateway = await startGateway({ server, ...upTo(origin) })
  using client = await withUnreadTail(gateway.port, answered.promise)
  // Until the gateway has all of it: its connection to the upstream is free then, and another request goes over it.
  const { connection } = await origin.request()
  using other = await connect(gateway.port)
  // No other connection is kept, so that none is warmer than that one.
  origin.answer = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'
  do {
    void other.write(get('/up/y'))
    await other.response(other.responses.length)
  } while (origin.requests.at(-1)!.connection !== connection)
  for (const signal of signals) {
    gateway.signal(signal)
    if (signals.length > 1) await gateway.waitForLog('Shutdown signal received')
  }
  const { code } = await gateway.exited
  const record = gateway.records().find(({ request_url }) => request_url === '/up/x')
  return { code, record, ending: client.ending, log: gateway.log().slice(-500) }
}

for (const [what, server, signals, code] of [
  ['the second signal', {}, ['SIGTERM', 'SIGTERM'], 143],
  ['shutdown_timeout_ms', { shutdown_timeout_ms: 300 }, ['SIGTERM'], 1],
] as const) {
  test(`${what} cuts an answer whose last bytes wait, and its record is written`, async () => {
    let cut = await cutAnswer(server, signals)
    // Now and then the kernel has room for all of it, and nothing is left to be cut.
    for (let tries = 1; tries < 20 && cut.record?.outcome === 'complete'; tries++)
      cut = await cutAnswer(server, signals)
    assert.equal(cut.record?.error, 'shutdown', cut.log)
    assert.equal(cut.record?.response_bytes, BODY_BYTES)
    assert.equal(cut.code, code)
    assert.equal(cut.ending, undefined)
  })
}

test('an upload goes on after it was sent again', async () => {
  let requests = 0
  await using origin = await startOrigin(async ({ connection }) => {
    if (++requests === 2) connection.reset()
    else if (requests > 2) return
    else await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  void client.write(get('/up/warm'))
  await client.response()
  const length = 200_000
  const head = `PUT /up/x HTTP/1.1\r\nHost: a\r\nx-api-key: ${CLIENT_KEY}\r\nContent-Length: ${length}\r\n\r\n`
  await client.write(head + 'x'.repeat(40_000))
  const third = await origin.request(2)
  void client.write('x'.repeat(length - 40_000))
  assert.equal((await third.ended()).contentBytes, length)
  await third.connection.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone')
  assert.equal((await client.response(1)).text, 'done')
})

test('a retry that meets a reload leaves no connection to the upstream that was removed', async () => {
  let requests = 0
  await using origin = await startOrigin(async ({ connection }) => {
    if (++requests === 1) await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  void client.write(get('/up/warm'))
  await client.response()
  void client.write(get('/up/x'))
  const second = await origin.request(1)
  gateway.rewrite({ upstreams: {} })
  await gateway.waitForLog('Configuration file changed, reloaded automatically')
  // A kept-alive connection that ends before a byte: the request goes out once more, with the settings that it began with.
  second.connection.reset()
  const third = await origin.request(2)
  await third.connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  assert.equal((await client.response(1)).text, 'ok')
  await third.connection.ended(3_000)
})
