import assert from 'node:assert/strict'
import net from 'node:net'
import { test } from 'node:test'
import { get, ok, upTo } from '../support/bytes.ts'
import { Watch } from '../support/deadline.ts'
import { assertWhole, EventStreams, openStreams } from '../support/event-streams.ts'
import { type RunningGateway, startGateway } from '../support/gateway.ts'
import { startLoad } from '../support/load.ts'
import { MessageReader } from '../support/message.ts'
import { startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

const STREAMS = 200
const PER_SECOND_KEPT = 400
const PER_SECOND_FRESH = 100

interface Visit {
  readonly endedAt: number
  readonly target: string
  /** `refused`: no connection was made. `reset`: one was made, and ended without one byte of a response. */
  readonly ending: 'answered' | 'refused' | 'reset' | 'broken'
}

/** One request on a connection of its own, which is written as soon as there is a connection. */
function visit(port: number, target: string): Promise<Visit> {
  return new Promise((resolve) => {
    const end = (ending: Visit['ending']): void => {
      socket.destroy()
      resolve({ endedAt: performance.now(), target, ending })
    }
    let received = 0
    const reader = new MessageReader({
      kind: 'response',
      onHead: () => {},
      onEnd: ({ status, state }) => end(status === 200 && state === 'complete' ? 'answered' : 'broken'),
    })
    const over = (how: 'fin' | 'rst'): void => {
      reader.end(how)
      end(received === 0 ? 'reset' : 'broken')
    }
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true }, () => socket.write(get(target)))
    socket.on('data', (data: Buffer) => {
      received += data.length
      reader.push(data)
    })
    socket.on('end', () => over('fin'))
    socket.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNREFUSED' ? end('refused') : over('rst')))
  })
}

/** Visits at a steady rate, until one of them is refused. */
class Visits implements Disposable {
  readonly all: Promise<Visit>[] = []
  readonly refused: Promise<void>
  readonly #timer: NodeJS.Timeout
  #done = 0
  readonly #watch = new Watch()

  constructor(port: number, perSecond: number) {
    const refused = Promise.withResolvers<void>()
    this.refused = refused.promise
    this.#timer = setInterval(() => {
      const each = visit(port, `/up/fresh/${this.all.length}`)
      this.all.push(each)
      void each.then(({ ending }) => {
        this.#done++
        this.#watch.notice()
        if (ending !== 'refused') return
        clearInterval(this.#timer)
        refused.resolve()
      })
    }, 1000 / perSecond)
  }

  async untilDone(count: number): Promise<void> {
    await this.#watch.until(() => this.#done >= count, `${count} visits`)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}

test('SIGTERM under 200 streams and 500 requests a second: what has begun ends whole, and nothing is refused before', async () => {
  using streams = new EventStreams(100)
  await using origin = await startOrigin(async (request) => {
    if (request.target.includes('/stream/')) return streams.answer(request)
    // So that there are always some on their way.
    await new Promise((resolve) => setTimeout(resolve, 20))
    await request.connection.write(ok('fine'))
  })
  await using gateway = await startGateway(upTo(origin))
  const readers = await openStreams(gateway.port, '/up', STREAMS)
  using load = await startLoad({
    port: gateway.port,
    connections: 32,
    perSecond: PER_SECOND_KEPT,
    request: (n) => get(`/up/kept/${n}`),
  })
  using visits = new Visits(gateway.port, PER_SECOND_FRESH)
  await load.untilMore(400)
  await visits.untilDone(50)
  const sentBefore = load.sent
  assert.deepEqual(load.failures, [])

  gateway.signal('SIGTERM')
  const signalledAt = performance.now()
  await visits.refused
  await load.until(() => load.ended === 32, 'the end of every connection that is kept')
  assert.equal(gateway.exit, undefined, 'it waits for the streams')
  // Each of them goes on.
  const seen = readers.map(({ client }) => client.receivedBytes)
  for (const [i, { client }] of readers.entries())
    await client.until(() => client.receivedBytes > seen[i]! + 500, 'more events')
  streams.finish()
  for (const reader of readers) {
    await assertWhole(reader, streams)
    assert.equal(await reader.client.ended(), 'fin')
  }
  assert.deepEqual(await gateway.exited, { code: 0, signal: null })

  const arrived = new Set(origin.requests.map(({ target }) => target))
  assert.equal(arrived.size, origin.requests.length)
  // What was sent to a connection that the stop had closed already was never begun: a client may send it again.
  const lost = load.failures.filter(({ n }) => n < sentBefore || arrived.has(`/kept/${n}`))
  assert.deepEqual(lost, [])
  for (const { endedAt, target, ending } of await Promise.all(visits.all)) {
    const wasOver = endedAt < signalledAt
    const wasBegun = arrived.has(target.slice('/up'.length))
    assert.ok(ending === 'answered' || !(wasOver || wasBegun || ending === 'broken'), `${target} ${ending}`)
  }
  const records = gateway.records()
  assert.deepEqual(
    records.map((record) => record.request_url.slice('/up'.length)).sort(),
    [...arrived].sort(),
    'one record for each',
  )
  assert.deepEqual([...new Set(records.map(({ outcome, status }) => `${outcome} ${status}`))], ['complete 200'])
  for (const reader of readers) reader[Symbol.dispose]()
})

/** While it stands still the kernel takes bytes and connections for it; then it finds all of them at once, and the signal. */
async function stopWhileStandingStill(gateway: RunningGateway, arrive: () => Promise<void>): Promise<void> {
  gateway.signal('SIGSTOP')
  await arrive()
  gateway.signal('SIGTERM')
  gateway.signal('SIGCONT')
}

test('requests that had arrived before the signal are served', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  const clients = await Promise.all(Array.from({ length: 8 }, () => connect(gateway.port)))
  for (const client of clients) {
    void client.write(get('/up/before'))
    assert.equal((await client.response()).status, 200)
  }
  await stopWhileStandingStill(gateway, async () => {
    for (const client of clients) await client.write(get('/up/after'))
  })
  for (const client of clients) assert.equal((await client.response(1)).status, 200)
  assert.deepEqual(await gateway.exited, { code: 0, signal: null })
})

test('connections that had not been accepted are served, or their requests have not begun', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  const visits: Promise<Visit>[] = []
  await stopWhileStandingStill(gateway, async () => {
    for (let i = 0; i < 8; i++) {
      visits.push(visit(gateway.port, `/up/${i}`))
      // The kernel has taken its connection, and with this round trip the request before it.
      using _ = await connect(gateway.port)
    }
  })
  const endings = await Promise.all(visits)
  assert.deepEqual(await gateway.exited, { code: 0, signal: null })
  const begun = origin.requests.map(({ target }) => `/up${target}`).sort()
  assert.deepEqual(endings.flatMap(({ target, ending }) => (ending === 'answered' ? target : [])).sort(), begun)
  assert.deepEqual(
    gateway
      .records()
      .map((record) => record.request_url)
      .sort(),
    begun,
  )
  assert.ok(endings.every(({ ending }) => ending === 'answered' || ending === 'reset'))
})
