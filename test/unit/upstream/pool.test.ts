import assert from 'node:assert/strict'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, mock, test } from 'node:test'
import tls from 'node:tls'
import type { Upstream } from '../../../src/config/snapshot.ts'
import { OwnedConnection } from '../../../src/http/owned-connection.ts'
import type { ClientConnection } from '../../../src/http1/client-connection.ts'
import { Pool } from '../../../src/upstream/pool.ts'
import type { Lookup } from '../../../src/upstream/resolve.ts'
import { FakeTime } from '../runtime/fake-time.ts'
import { type Answering, answering, ask, connect, events, type Told, until, upstreamAt, used } from './one-exchange.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
const TICK_MS = 500

const answerWith = (...fields: string[]): string =>
  ['HTTP/1.1 200 OK', ...fields, 'Content-Length: 0', '', ''].join('\r\n')

const never = (): never => assert.fail('nobody is to hear of this')

let server: Answering
let pool: Pool<Told>

beforeEach(async () => {
  mock.timers.enable({ apis: ['setInterval'] })
  server = await answering(OK)
  pool = new Pool(upstreamAt(server.port), events)
})

afterEach(async () => {
  pool.retire()
  await server[Symbol.asyncDispose]()
  mock.timers.reset()
})

/** Connections that are all in use at the same time. */
async function busy(count: number): Promise<ClientConnection<Told>[]> {
  const connections: ClientConnection<Told>[] = []
  for (let i = 0; i < count; i++) connections.push(await used(pool))
  return connections
}

test('a name is looked up with its final dot, and asked for without it', async (t) => {
  const { target, ...rest } = upstreamAt(server.port, 'models.test.')
  const looked: string[] = []
  const lookup: Lookup = (host, answer) => {
    looked.push(host)
    answer(null, ['127.0.0.1'])
  }
  const secure = new Pool<Told>({ ...rest, target: { ...target, scheme: 'https' } }, events, lookup)
  const asked = Promise.withResolvers<string | undefined>()
  const connectTls = tls.connect
  t.mock.method(tls, 'connect', (options: tls.ConnectionOptions) => {
    asked.resolve(options.servername)
    return connectTls(options)
  })
  const cancel = secure.connect(upstreamAt(server.port), { trying() {}, connected: never, failed: never })
  assert.equal(await asked.promise, 'models.test')
  assert.deepEqual(looked, ['models.test.'])
  cancel()
  secure.retire()
})

describe('idle connections', () => {
  test('are used again, the one that was used last first', async () => {
    const [a, b, c] = await busy(3)
    for (const connection of [b!, a!, c!]) connection.release(true)
    assert.equal(pool.idleCount, 3)
    const taken = [
      pool.take(upstreamAt(server.port)),
      pool.take(upstreamAt(server.port)),
      pool.take(upstreamAt(server.port)),
    ].map((each) => each?.connection)
    assert.deepEqual(taken, [c, a, b])
    assert.equal(pool.take(upstreamAt(server.port)), undefined)
    for (const connection of taken) connection!.close()
  })

  test('carry one exchange after another, and say so', async () => {
    const connection = await connect(pool)
    for (const isReused of [false, true, true]) {
      const told = ask(connection)
      assert.equal(connection.isReused, isReused)
      await told.over
      assert.deepEqual(told.log, ['head 200', 'whole'])
      connection.release(true)
      assert.equal(pool.take(upstreamAt(server.port))?.connection, connection)
    }
    assert.equal(server.sockets.length, 1)
    connection.close()
  })

  for (const [fields, ticks] of [
    ['', 40],
    ['Keep-Alive: timeout=300', 40],
    ['Keep-Alive: timeout=21', 40],
    ['Keep-Alive: timeout=20', 38],
    ['Keep-Alive: timeout=5, max=9', 8],
    ['Keep-Alive: timeout=2', 2],
  ] as const) {
    test(`are closed after ${(ticks * TICK_MS) / 1000} s with ${fields || 'nothing announced'}`, async () => {
      server.answer = fields === '' ? OK : answerWith(fields)
      const [connection] = await busy(1)
      connection!.release(true)
      mock.timers.tick((ticks - 1) * TICK_MS)
      assert.equal(pool.idleCount, 1)
      const closed = once(server.sockets[0]!, 'close')
      mock.timers.tick(TICK_MS)
      assert.equal(pool.idleCount, 0)
      await closed
    })
  }

  test('are closed each in its own time', async () => {
    const [a, b] = await busy(2)
    a!.release(true)
    mock.timers.tick(30 * TICK_MS)
    b!.release(true)
    mock.timers.tick(10 * TICK_MS)
    assert.equal(pool.idleCount, 1)
    assert.equal(pool.take(upstreamAt(server.port))?.connection, b)
    b!.close()
  })

  test('are idle anew after each use, also when the pool was empty in between', async () => {
    const [connection] = await busy(1)
    for (let i = 0; i < 3; i++) {
      connection!.release(true)
      mock.timers.tick(39 * TICK_MS)
      assert.equal(pool.take(upstreamAt(server.port))?.connection, connection)
      mock.timers.tick(100 * TICK_MS)
      await ask(connection!).over
    }
    connection!.close()
  })

  test('are looked at once more after more than a second', async () => {
    const [connection] = await busy(1)
    for (const [ticks, isStale] of [
      [0, false],
      [2, false],
      [3, true],
    ] as const) {
      connection!.release(true)
      mock.timers.tick(ticks * TICK_MS)
      assert.equal(pool.take(upstreamAt(server.port))?.isStale, isStale)
      await ask(connection!).over
    }
    connection!.close()
  })

  test('that are taken and not needed have the time left that they had', async () => {
    server.answer = answerWith('Keep-Alive: timeout=5')
    const [connection, other] = await busy(2)
    connection!.release(true)
    other!.release(true)
    const closed = once(server.sockets[1]!, 'close')
    for (let tick = 0; tick < 8; tick++) {
      mock.timers.tick(TICK_MS)
      if (tick < 7) pool.take(upstreamAt(server.port))!.connection.release(true)
    }
    assert.equal(pool.idleCount, 0)
    await closed
  })

  test('that belong to a client go when their pool is retired, and none is kept after that', async () => {
    const [idle, running] = await busy(2)
    const owner = new OwnedConnection<Told>()
    for (const connection of [idle!, running!]) connection.belongTo(owner, 'one')
    idle!.release(true)
    assert.deepEqual([pool.idleCount, pool.ownedCount], [0, 1])
    pool.retire()
    assert.equal(pool.ownedCount, 0)
    assert.equal(idle!.isUsable, false)
    const closed = once(server.sockets[1]!, 'close')
    running!.release(true)
    await closed
    assert.equal(owner.take(running!.endpoint, 'one'), undefined)
  })

  test('that belong to a client are not kept past the age of a connection', async () => {
    const [idle, running] = await busy(2)
    const owner = new OwnedConnection<Told>()
    for (const connection of [idle!, running!]) connection.belongTo(owner, 'one')
    idle!.release(true)
    mock.timers.tick(500_000)
    assert.equal(idle!.isUsable, true, 'a login has no end for being idle')
    mock.timers.tick(200_000)
    assert.equal(idle!.isUsable, false)
    running!.release(true)
    assert.equal(pool.ownedCount, 0)
    assert.equal(owner.take(running!.endpoint, 'one'), undefined)
  })

  test('that belong to a client and carry its exchange carry it to its end, beyond their age and their pool', async () => {
    const owner = new OwnedConnection<Told>()
    const taken = async (): Promise<ClientConnection<Told>> => {
      const connection = await used(pool)
      connection.belongTo(owner, 'one')
      connection.release(true)
      assert.equal(owner.take(connection.endpoint, 'one'), connection)
      return connection
    }
    for (const end of [() => mock.timers.tick(700_000), () => pool.retire()]) {
      const told = ask(await taken())
      const cut = once(server.sockets.at(-1)!, 'close').then(() => 'cut')
      end()
      assert.equal(await Promise.race([told.over, cut]), undefined)
      assert.deepEqual(told.log, ['head 200', 'whole'])
      told.connection.release(true)
      assert.equal(pool.ownedCount, 0)
    }
  })

  test('that belong to a client are kept where no others are', async () => {
    pool.publish([{ ...upstreamAt(server.port), keepAliveTimeoutMs: 0 }])
    const [owned, other] = await busy(2)
    const owner = new OwnedConnection<Told>()
    owned!.belongTo(owner, 'one')
    for (const connection of [owned!, other!]) connection.release(true)
    assert.deepEqual([owned!.isUsable, other!.isUsable], [true, false])
    owner.close()
    assert.equal(owned!.isUsable, false)
  })

  for (const [what, act] of [
    ['the upstream says FIN', () => server.sockets[0]!.end()],
    ['the upstream resets them', () => server.sockets[0]!.resetAndDestroy()],
    ['a byte comes that nobody asked for', () => server.sockets[0]!.write('HTTP/1.1 408 Request Timeout\r\n\r\n')],
  ] as const) {
    test(`go when ${what}`, async () => {
      const [connection] = await busy(1)
      connection!.release(true)
      act()
      await until(() => pool.idleCount === 0)
      assert.equal(connection!.isUsable, false)
      assert.equal(pool.take(upstreamAt(server.port)), undefined)
    })
  }
})

describe('a connection is not kept', () => {
  for (const [what, answer] of [
    ['that its upstream will close', answerWith('Connection: close')],
    ['in HTTP/1.0', OK.replace('1.1', '1.0')],
    ['that its upstream keeps for a second only', answerWith('Keep-Alive: timeout=1')],
    ['that its upstream keeps for no time', answerWith('Keep-Alive: timeout=0')],
    ['with bytes behind its response', `${OK}x`],
    ['with two framings', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ] as const) {
    test(what, async () => {
      server.answer = answer
      const [connection] = await busy(1)
      connection!.release(true)
      assert.equal(pool.idleCount, 0)
      await once(server.sockets[0]!, 'close')
    })
  }

  test('that its owner gives up', async () => {
    const [connection] = await busy(1)
    connection!.release(false)
    assert.equal(pool.idleCount, 0)
  })

  test('before its response is whole', async () => {
    server.answer = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell'
    const connection = await connect(pool)
    const told = ask(connection)
    await until(() => told.body === 'hell')
    connection.release(true)
    assert.equal(pool.idleCount, 0)
  })

  test('on a FIN that comes while it is taken and not yet used', async () => {
    const [connection] = await busy(1)
    connection!.release(true)
    assert.equal(pool.take(upstreamAt(server.port))?.connection, connection)
    server.sockets[0]!.end()
    await until(() => !connection!.isUsable)
    assert.equal(pool.idleCount, 0)
  })
})

describe('a retired pool', () => {
  test('closes what is idle at once, and what is busy when its exchange is over', async () => {
    const [idle, stillBusy] = await busy(2)
    idle!.release(true)
    pool.retire()
    assert.equal(pool.idleCount, 0)
    assert.equal(idle!.isUsable, false)
    stillBusy!.release(true)
    assert.equal(pool.idleCount, 0)
    await Promise.all(server.sockets.map((socket) => socket.closed || once(socket, 'close')))
  })
})

describe('names', () => {
  const named = (lookup: Lookup): Pool<Told> => new Pool(upstreamAt(server.port, 'a.test'), events, lookup)

  test('a connection to an address that its name has left is not kept', async (t) => {
    let now = 0
    t.mock.method(performance, 'now', () => now)
    let addresses = ['127.0.0.1']
    const moving = named((_host, answer) => answer(null, addresses))
    const [first, second] = [await used(moving), await used(moving)]
    first.release(true)
    assert.equal(moving.idleCount, 1)
    addresses = ['127.0.0.9']
    now += 1_000
    moving.connect(upstreamAt(server.port, 'a.test'), { trying() {}, connected: never, failed() {} })()
    assert.equal(moving.idleCount, 0)
    second.release(true)
    assert.equal(moving.idleCount, 0)
    moving.retire()
  })

  test('a failed look-up is told, and not repeated', async () => {
    let lookups = 0
    const failure = await new Promise((resolve) => {
      named((_host, answer) => {
        lookups++
        answer(new Error('ENOTFOUND'), [])
      }).connect(upstreamAt(server.port, 'a.test'), { trying() {}, connected: never, failed: resolve })
    })
    assert.equal(failure, 'dns')
    assert.equal(lookups, 1)
  })

  test('a look-up that takes too long is part of the time to connect', (t) => {
    const time = new FakeTime(t)
    let answer: (error: null, addresses: string[]) => void = () => {}
    const failed = t.mock.fn()
    named((_host, answered) => {
      answer = answered
    }).connect(upstreamAt(server.port, 'a.test'), { trying() {}, connected: never, failed })
    time.pass(999)
    assert.equal(failed.mock.callCount(), 0)
    time.pass(1)
    assert.deepEqual(failed.mock.calls[0]!.arguments, ['connect_timeout', undefined])
    answer(null, ['127.0.0.1'])
    assert.equal(failed.mock.callCount(), 1)
  })

  test('what is cancelled during its look-up connects nowhere', async () => {
    let answer: (error: null, addresses: string[]) => void = () => {}
    const cancel = named((_host, answered) => {
      answer = answered
    }).connect(upstreamAt(server.port, 'a.test'), { trying: never, connected: never, failed: never })
    cancel()
    answer(null, ['127.0.0.1'])
    // Whoever connects after it would be second.
    await used(pool)
    assert.equal(server.sockets.length, 1)
  })
})

describe('while there are connections', () => {
  /** A pool for a name, the answers to its look-ups, and how many there have been. */
  function named(answers: { current: string[] | Error }) {
    const asked = { count: 0 }
    const lookup: Lookup = (_host, answer) => {
      asked.count++
      if (answers.current instanceof Error) answer(answers.current, [])
      else answer(null, answers.current)
    }
    return { asked, moving: new Pool<Told>(upstreamAt(server.port, 'a.test'), events, lookup) }
  }

  test('their name is looked up every ten seconds, busy or not, and not once they are gone', async () => {
    const { asked, moving } = named({ current: ['127.0.0.1'] })
    const connection = await used(moving)
    assert.equal(asked.count, 1)
    mock.timers.tick(10_000)
    assert.equal(asked.count, 2)
    connection.release(true)
    mock.timers.tick(9_500)
    assert.equal(asked.count, 2)
    mock.timers.tick(500)
    assert.equal(asked.count, 3)
    mock.timers.tick(10_000)
    assert.equal(moving.idleCount, 0, 'it has been idle for its time')
    mock.timers.tick(100_000)
    assert.equal(asked.count, 3)
    moving.retire()
  })

  test('a retired pool looks nothing up', async () => {
    const { asked, moving } = named({ current: ['127.0.0.1'] })
    const connection = await used(moving)
    moving.retire()
    mock.timers.tick(100_000)
    assert.equal(asked.count, 1)
    connection.release(true)
    assert.equal(connection.isUsable, false)
  })

  test('a failing look-up changes nothing', async () => {
    const answers: { current: string[] | Error } = { current: ['127.0.0.1'] }
    const { asked, moving } = named(answers)
    const connection = await used(moving)
    connection.release(true)
    answers.current = new Error('ENOTFOUND')
    mock.timers.tick(10_000)
    answers.current = []
    mock.timers.tick(9_500)
    assert.equal(asked.count, 2)
    assert.equal(moving.take(upstreamAt(server.port, 'a.test'))?.connection, connection)
    connection.close()
    moving.retire()
  })

  test('an address that is gone leaves nothing behind', async () => {
    const answers = { current: ['127.0.0.1'] }
    const { moving } = named(answers)
    const connection = await used(moving)
    assert.equal(moving.spotCount, 1)
    answers.current = ['127.0.0.9']
    mock.timers.tick(10_000)
    assert.equal(moving.spotCount, 1, 'while an exchange runs there')
    connection.release(true)
    mock.timers.tick(TICK_MS)
    assert.equal(moving.spotCount, 0)
    moving.retire()
  })

  test('an address that is gone keeps no idle connection', async () => {
    const answers = { current: ['127.0.0.1'] }
    const { moving } = named(answers)
    const [idle, stillBusy] = [await used(moving), await used(moving)]
    idle.release(true)
    answers.current = ['127.0.0.9']
    mock.timers.tick(10_000)
    assert.equal(moving.idleCount, 0)
    stillBusy.release(true)
    assert.equal(stillBusy.isUsable, false)
    moving.retire()
  })
})

describe('of two addresses, the one where fewer exchanges run serves', () => {
  const take = (connection: ClientConnection<Told>): void => {
    assert.equal(pool.take(upstreamAt(0))?.connection, connection)
  }
  const WAYS: Record<string, (connection: ClientConnection<Told>, owner: OwnedConnection<Told>) => unknown> = {
    'was kept': (connection) => connection.release(true),
    'was taken once more and put back': (connection) => {
      connection.release(true)
      take(connection)
      connection.release(true)
    },
    failed: (connection) => connection.release(false),
    'was let go': (connection) => connection.letGo(),
    'was closed': (connection) => connection.close(),
    'was closed when it was idle': (connection) => {
      connection.release(true)
      connection.close()
    },
    'was closed when it was taken': (connection) => {
      connection.release(true)
      take(connection)
      connection.close()
    },
    'lost its upstream': async (connection) => {
      ask(connection)
      server.sockets[1]!.resetAndDestroy()
      await until(() => server.sockets[1]!.destroyed && !connection.isUsable)
      connection.release(false)
    },
    'belonged to a client that has gone': (connection, owner) => {
      connection.belongTo(owner, 'one')
      connection.release(true)
      owner.close()
    },
  }
  for (const [what, end] of Object.entries(WAYS)) {
    for (const isLastHere of [true, false]) {
      test(`also after one ${what}, used last ${isLastHere ? 'there' : 'elsewhere'}`, async () => {
        await using other = await answering(OK)
        const connectTo = [server, other].map(({ port }) => ({
          host: '127.0.0.1',
          port,
          path: '',
          text: `127.0.0.1:${port}`,
        }))
        pool = new Pool({ ...upstreamAt(server.port), connectTo }, events)
        const [here, there, ended] = await busy(3)
        assert.equal(here!.address, ended!.address)
        await end(ended!, new OwnedConnection())
        const [earlier, later] = isLastHere ? [there!, here!] : [here!, there!]
        earlier.release(true)
        mock.timers.tick(TICK_MS)
        later.release(true)
        const best = pool.take(upstreamAt(0))!
        assert.equal(best.address.text, later.address)
        best.connection.close()
      })
    }
  }
})

describe('upstreams of one endpoint', () => {
  const withTimes = (name: string, keepAliveTimeoutMs: number, maxConnectionAgeMs = 600_000): Upstream => ({
    ...upstreamAt(server.port),
    name,
    keepAliveTimeoutMs,
    maxConnectionAgeMs,
  })

  test('use connections that have been idle for less than their own time only', async () => {
    const [short, long] = [withTimes('short', 2_000), withTimes('long', 60_000)]
    pool.publish([short, long])
    const connection = await used(pool, long)
    connection.release(true)
    mock.timers.tick(1_500)
    assert.equal(pool.take(short)?.connection, connection)
    await ask(connection).over
    connection.release(true)
    mock.timers.tick(2_000)
    assert.equal(pool.idleCount, 0, 'short was the last to use it')
    const other = await used(pool, long)
    other.release(true)
    mock.timers.tick(2_000)
    assert.equal(pool.take(short), undefined)
    assert.equal(pool.take(long)?.connection, other)
    other.close()
  })

  test('use connections up to their own age only, give or take a tenth', async () => {
    const [young, old] = [withTimes('young', 600_000, 10_000), withTimes('old', 600_000, 600_000)]
    pool.publish([young, old])
    const connection = await used(pool, old)
    connection.release(true)
    mock.timers.tick(8_500)
    assert.equal(pool.take(young)?.connection, connection)
    pool.take(young)
    await ask(connection).over
    connection.release(true)
    mock.timers.tick(3_000)
    assert.equal(pool.idleCount, 0, 'young was the last to use it')
    const other = await used(pool, old)
    other.release(true)
    mock.timers.tick(11_500)
    assert.equal(pool.take(young), undefined)
    assert.equal(pool.take(old)?.connection, other)
    other.close()
  })

  test('what is published holds for idle connections at once, and for busy ones from then on', async () => {
    const before = withTimes('up', 600_000)
    pool.publish([before])
    const [idle, stillBusy] = [await used(pool, before), await used(pool, before)]
    idle.release(true)
    mock.timers.tick(30_000)
    pool.publish([withTimes('up', 40_000)])
    assert.equal(pool.idleCount, 1)
    pool.publish([withTimes('up', 100)])
    assert.equal(pool.idleCount, 0)
    stillBusy.release(true)
    assert.equal(pool.idleCount, 1)
    mock.timers.tick(100)
    assert.equal(pool.idleCount, 0)
  })
})

test('a failure says why, and every attempt where', async () => {
  const tried: string[] = []
  const { port } = server
  await server[Symbol.asyncDispose]()
  const told = await new Promise<unknown[]>((resolve) =>
    pool.connect(upstreamAt(port), {
      trying: (address) => tried.push(address),
      connected: never,
      failed: (...args) => resolve(args),
    }),
  )
  assert.deepEqual(told, ['connect_refused', 'ECONNREFUSED'])
  assert.deepEqual(tried, Array(2).fill(`127.0.0.1:${port}`))
  server = await answering(OK)
})

test('a name that is not found says why', async () => {
  const error = Object.assign(new Error('getaddrinfo'), { code: 'EAI_AGAIN' })
  const nameless = new Pool<Told>(upstreamAt(1, 'a.test'), events, (_host, answer) => answer(error, []))
  const told = await new Promise<unknown[]>((resolve) =>
    nameless.connect(upstreamAt(1, 'a.test'), { trying: never, connected: never, failed: (...args) => resolve(args) }),
  )
  assert.deepEqual(told, ['dns', 'EAI_AGAIN'])
})

test('of an upstream behind a proxy, the name of the proxy is looked up and no other', async () => {
  const behind: Upstream = {
    ...upstreamAt(1, 'provider.test'),
    proxy: { host: 'proxy.test', port: 3128, authorization: undefined },
  }
  const looked: string[] = []
  const told = await new Promise<unknown[]>((resolve) =>
    new Pool<Told>(behind, events, (host, answer) => {
      looked.push(host)
      answer(Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' }), [])
    }).connect(behind, { trying: never, connected: never, failed: (...args) => resolve(args) }),
  )
  assert.deepEqual(told, ['proxy_unreachable', 'ENOTFOUND'])
  assert.deepEqual(looked, ['proxy.test'])
})

test('an IPv6 address is shown in brackets, with its port', () => {
  const tried: string[] = []
  const named = new Pool<Told>(upstreamAt(8443, 'a.test'), events, (_host, answer) => answer(null, ['::1']))
  named.connect(upstreamAt(8443, 'a.test'), {
    trying: (address) => tried.push(address),
    connected: never,
    failed() {},
  })()
  assert.deepEqual(tried, ['[::1]:8443'])
})
