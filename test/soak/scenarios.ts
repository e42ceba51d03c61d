import { setTimeout as sleep } from 'node:timers/promises'
import { TLSSocket } from 'node:tls'
import type { Message } from '../support/message.ts'
import type { OriginRequest } from '../support/origin.ts'
import { latin1, type RawClient } from '../support/raw-client.ts'
import type { Client, Order } from './client.ts'
import { anySize, type Body, contentBytes, pieces } from './content.ts'
import { streams, streamsThatAreLeft, towardsHttp2 } from './over-http2.ts'
import { answer, headOf, type Plan } from './provider.ts'
import { webSocket } from './tunnels.ts'

/** What a client may do next. Each ends with what its exchanges' records may say. */
export type Scenario = (client: Client) => Promise<void>

const COMPLETE = ['200 complete -']
const LEFT = ['- client_abort client_abort']
const METHODS = ['POST', 'POST', 'POST', 'GET', 'PUT', 'DELETE']

/** Checks what has arrived, and answers. */
const serve =
  ({ soak }: Client): Plan['script'] =>
  async (request, plan) => {
    await soak.provider.take(request, plan)
    await answer(request, plan)
  }

const refusal = (response: Message): string =>
  `${response.status} ${response.state} ${response.value('x-fluxgate-error')?.slice('fluxgate_'.length)}`

/** An order of any kind that both sides will see whole. */
function anyOrder(client: Client): Order {
  const { random } = client
  const method = random.pick(METHODS)
  const request: Body = { framing: random.pick(['length', 'chunked']), size: anySize(random) }
  return {
    method,
    request: method === 'GET' ? { framing: 'none', size: 0 } : request,
    response: { framing: random.pick(['length', 'length', 'chunked', 'chunked', 'close']), size: anySize(random) },
    script: serve(client),
  }
}

async function unary(client: Client, order: Order = anyOrder(client)): Promise<void> {
  const plan = client.begin(order)
  const most = client.random.pick([1, 1, 8])
  const head = pieces(latin1(plan.head), most, plan.random)
  const response = await client.ask([...head, ...pieces(plan.bytes, most, plan.random)])
  client.check(plan, response)
  client.end(plan, COMPLETE, [contentBytes(plan.request), response.contentBytes])
}

async function head(client: Client): Promise<void> {
  const plan = client.begin({ method: 'HEAD', response: { framing: 'length', size: 10_000 }, script: serve(client) })
  using connection = await client.fresh(['HEAD'])
  void connection.write(plan.head)
  client.check(plan, await connection.response())
  client.end(plan, COMPLETE, [0, 0])
}

const upload: Scenario = (client) =>
  unary(client, {
    ...anyOrder(client),
    method: 'POST',
    request: { framing: client.random.pick(['length', 'chunked']), size: client.random.below(3_000_000) },
  })

/** Events, each in its time. */
async function stream(client: Client): Promise<void> {
  const response: Body = { framing: 'chunked', size: 20_000 }
  const script = async (request: OriginRequest, plan: Plan): Promise<void> => {
    await client.soak.provider.take(request, plan)
    await answer({ ...request, connection: paced(request, 1 + plan.random.below(20)) } as OriginRequest, plan)
  }
  await unary(client, { request: { framing: 'length', size: 300 }, response, script })
}

/** A connection that takes its time. */
function paced(request: OriginRequest, ms: number): OriginRequest['connection'] {
  const { connection } = request
  const write = async (bytes: string | Uint8Array): Promise<boolean> => {
    for (let at = 0; at < bytes.length; at += 1_000) {
      if (!(await connection.write(bytes.slice(at, at + 1_000)))) return false
      await sleep(ms)
    }
    return true
  }
  return { write, fin: () => connection.fin() } as OriginRequest['connection']
}

async function slowReader(client: Client): Promise<void> {
  const { random } = client
  const size = random.below(3_000_000)
  const plan = client.begin({
    response: { framing: random.pick(['length', 'chunked', 'close']), size },
    script: serve(client),
  })
  using connection = await client.fresh()
  void connection.write(plan.head)
  await connection.responseHead()
  for (let pause = 0; pause < 4; pause++) {
    connection.pause()
    await sleep(random.below(60))
    connection.resume()
    await sleep(random.below(10))
  }
  const response = await connection.response()
  client.check(plan, response)
  client.end(plan, COMPLETE, [0, response.contentBytes])
}

async function pipelined(client: Client): Promise<void> {
  const orders = Array.from({ length: 2 + client.random.below(5) }, () => anyOrder(client))
  const small = { framing: 'length', size: client.random.below(3_000) } as const
  const plans = orders.map((order) =>
    client.begin({ ...order, request: order.method === 'GET' ? order.request! : small, response: small }),
  )
  using connection = await client.fresh()
  const bytes = Buffer.concat(plans.flatMap((plan) => [latin1(plan.head), plan.bytes]))
  void connection.writePieces(pieces(bytes, client.random.pick([1, 10]), client.random))
  for (const [n, plan] of plans.entries()) {
    const response = await connection.response(n)
    client.check(plan, response)
    client.end(plan, COMPLETE, [contentBytes(plan.request), response.contentBytes])
  }
}

// ---- clients that leave

function leave(client: Client, connection: RawClient): void {
  if (client.random.below(2) === 0 && !(connection.socket instanceof TLSSocket)) connection.reset()
  else connection.socket.destroy()
}

async function leavesBeforeTheHead(client: Client): Promise<void> {
  const plan = client.begin({ request: { framing: 'length', size: anySize(client.random) }, script: () => {} })
  const connection = await client.fresh()
  void connection.write(Buffer.concat([latin1(plan.head), plan.bytes]))
  await plan.arrived.promise
  leave(client, connection)
  client.end(plan, LEFT)
}

async function leavesInTheStream(client: Client): Promise<void> {
  const size = anySize(client.random)
  const plan = client.begin({
    script: ({ connection }, each) =>
      void connection.write(`${headOf(each, 'Content-Length: 9999999\r\n')}${'x'.repeat(size)}`),
  })
  const connection = await client.fresh()
  void connection.write(plan.head)
  await connection.responseHead()
  leave(client, connection)
  client.end(plan, ['200 client_abort client_abort'])
}

async function leavesInTheUpload(client: Client): Promise<void> {
  const plan = client.begin({
    request: { framing: client.random.pick(['length', 'chunked']), size: 10 + anySize(client.random) },
    script: () => {},
  })
  const connection = await client.fresh()
  void connection.write(plan.head)
  void connection.write(plan.bytes.subarray(0, client.random.below(plan.bytes.length)))
  await plan.arrived.promise
  leave(client, connection)
  client.end(plan, LEFT)
}

async function leavesInTheRequestLine(client: Client): Promise<void> {
  using connection = await client.fresh()
  await connection.write('GET /up/x/never HTTP/1.1'.slice(0, client.random.below(20)))
}

// ---- upstreams that break

const breaks: readonly (readonly [status: string, start: (plan: Plan) => string])[] = [
  ['502 complete', () => ''],
  ['502 complete', () => 'HTTP/1.1 200 OK\r\nContent-'],
  ['502 complete', () => 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense'],
  ['502 complete', () => 'SSH-2.0-OpenSSH_9.2\r\n'],
  ['200 truncated', (plan) => `${headOf(plan, 'Content-Length: 99\r\n')}hello`],
  ['200 truncated', (plan) => `${headOf(plan, 'Transfer-Encoding: chunked\r\n')}5\r\nhello\r\n`],
]

async function upstreamBreaks(client: Client): Promise<void> {
  const [wanted, start] = client.random.pick(breaks)
  const plan = client.begin({
    ...anyOrder(client),
    script: async (request, each) => {
      await client.soak.provider.take(request, each)
      await request.connection.write(start(each))
      if (each.random.below(2) === 0) request.connection.reset()
      else await request.connection.fin()
    },
  })
  const response = await client.ask([plan.head, plan.bytes])
  const seen = `${response.status} ${response.state}`
  // A reset overtakes the bytes before it.
  if (seen !== wanted && seen !== '502 complete') client.soak.ledger.problem(`${plan.id}: ${seen} instead of ${wanted}`)
  const error = refusal(response).split(' ')[2]!
  const allowed = ['upstream_reset', 'upstream_protocol', 'reused_conn_lost'].includes(error)
    ? `502 upstream_abort ${error}`
    : '200 upstream_abort upstream_truncated'
  client.end(plan, [allowed])
}

/** Its upstream has connections of its own: what comes on an idle one may meet another request there. */
async function oddUpstream(client: Client): Promise<void> {
  const plan = client.begin({
    ...anyOrder(client),
    upstream: 'odd',
    script: async (request, each) => {
      if ((await client.soak.provider.takeAny(request, each)) !== undefined) return
      await answer(request, each)
      const way = each.random.below(4)
      if (way === 0) await request.connection.fin()
      if (way === 1) request.connection.reset()
      if (way === 2) await request.connection.write('nonsense')
    },
  })
  const response = await client.ask([plan.head, plan.bytes])
  if (response.status === 200 && response.state === 'complete') {
    client.check(plan, response)
    return client.end(plan, COMPLETE)
  }
  const error = refusal(response).split(' ')[2]
  const allowed = ['upstream_protocol', 'reused_conn_lost', 'upstream_reset'].map(
    (each) => `502 upstream_abort ${each}`,
  )
  if (response.status === 502)
    return client.end(
      plan,
      allowed.filter((each) => each.endsWith(`${error}`)),
    )
  // A reset on the heels of a response may destroy its end.
  client.end(plan, ['200 upstream_abort upstream_truncated'])
}

async function earlyAnswer(client: Client): Promise<void> {
  const plan = client.begin({
    request: { framing: 'length', size: 1_000_000 + client.random.below(3_000_000) },
    response: { framing: 'length', size: 100 },
    script: async ({ connection }, each) => {
      connection.pause()
      const content = `Connection: close\r\nContent-Length: 7\r\n`
      await connection.write(`${headOf(each, content).replace('200', '413')}too big`)
      await connection.fin()
      connection.resume()
    },
  })
  const response = await client.ask([plan.head, plan.bytes])
  const seen = `${response.status} ${response.state} ${response.value('x-id')} ${response.text}`
  if (seen !== `413 complete ${plan.id} too big`) client.soak.ledger.problem(`${plan.id}: ${seen}`)
  client.end(plan, ['413 complete -'])
}

async function silentUpstream(client: Client): Promise<void> {
  const plan = client.begin({ upstream: 'hasty', script: () => {} })
  await refusedWith(client, plan, [plan.head], '504 complete response_timeout', 'timeout')
}

async function closedUpstream(client: Client): Promise<void> {
  const plan = client.begin({ ...anyOrder(client), upstream: 'closed' })
  await refusedWith(client, plan, [plan.head, plan.bytes], '502 complete connect_refused', 'upstream_abort')
}

/** Half of the configurations do not have it. */
async function changingUpstream(client: Client): Promise<void> {
  const plan = client.begin({ ...anyOrder(client), upstream: 'changing' })
  const response = await client.ask([plan.head, plan.bytes])
  if (response.status !== 404) client.check(plan, response)
  client.end(plan, response.status === 404 ? ['404 refused no_route'] : COMPLETE)
}

// ---- what is refused

type Begun = ReturnType<Client['begin']>

async function refusedWith(
  client: Client,
  plan: Begun,
  bytes: readonly (string | Buffer)[],
  wanted: string,
  outcome = 'refused',
): Promise<void> {
  const seen = refusal(await client.ask(bytes))
  if (seen !== wanted) client.soak.ledger.problem(`${plan.id}: ${seen} instead of ${wanted}`)
  const [status, , error] = wanted.split(' ')
  // On a busy machine the provider sees it only after its time is up.
  if (outcome === 'timeout') await plan.arrived.promise
  client.end(plan, [`${status} ${outcome} ${error}`])
  if (plan.arrivals > 0 && outcome === 'refused') client.soak.ledger.problem(`${plan.id}: refused, and yet sent on`)
}

async function wrongKey(client: Client): Promise<void> {
  const plan = client.begin(anyOrder(client))
  // Some have been right some time ago.
  const wrong = client.random.pick([
    `soak-client-key-of-${client.soak.generation - 3}`,
    'soak-client-key-of-',
    'Basic',
    'x',
  ])
  const [before, after] = plan.head.split(`soak-client-key-of-${plan.generation}`)
  await refusedWith(client, plan, [`${before}${wrong}${after}`, plan.bytes], '401 complete unauthorized')
}

async function noRoute(client: Client): Promise<void> {
  const plan = client.begin({ ...anyOrder(client), upstream: client.random.pick(['upper', 'u', 'nowhere']) })
  await refusedWith(client, plan, [plan.head, plan.bytes], '404 complete no_route')
}

const faults: readonly (readonly [error: string, line: string])[] = [
  ['bad_host', 'Host: b'],
  ['bad_field', 'X A: b'],
  ['bad_field', ' folded'],
  ['bad_framing', 'Content-Length: 3\r\nTransfer-Encoding: chunked'],
  ['bad_connection', 'Connection: host'],
]

async function malformed(client: Client): Promise<void> {
  const [error, line] = client.random.pick(faults)
  const plan = client.begin({ method: 'GET', script: () => {} })
  if (error === 'bad_framing' || error === 'bad_connection')
    client.soak.ledger.expectEvent('Refused a request that could be an attack')
  await refusedWith(client, plan, [plan.head.replace('X-Id:', `${line}\r\nX-Id:`)], `400 complete ${error}`)
}

/** How often each of them. */
const WEIGHTS: readonly (readonly [number, Scenario])[] = [
  [40, (client) => unary(client)],
  [3, head],
  [6, stream],
  [4, upload],
  [3, slowReader],
  [6, pipelined],
  [5, leavesBeforeTheHead],
  [5, leavesInTheStream],
  [5, leavesInTheUpload],
  [2, leavesInTheRequestLine],
  [8, upstreamBreaks],
  [5, oddUpstream],
  [2, earlyAnswer],
  [1, silentUpstream],
  [1, closedUpstream],
  [4, changingUpstream],
  [6, wrongKey],
  [3, noRoute],
  [5, malformed],
  [12, streams],
  [3, streamsThatAreLeft],
  [8, (client) => towardsHttp2(client, unary)],
  [5, webSocket],
]

export const scenarios: readonly Scenario[] = WEIGHTS.flatMap(([weight, scenario]) =>
  Array.from({ length: weight }, () => scenario),
)
