import type { Http2Origin, Http2Peer } from '../support/http2-peer.ts'
import { connectHttp2Over, type FieldPair, type PeerStream, startHttp2Origin } from '../support/http2-peer.ts'
import type { Client, Order } from './client.ts'
import { anySize, contentBytes, contentOf, differs } from './content.ts'
import type { Ledger } from './ledger.ts'
import { answer, type Plan, type Provider, wrongWith } from './provider.ts'

/** Exchanges over HTTP/2: of clients, and towards the upstream `two`, whatever its clients speak. */

type Begun = ReturnType<Client['begin']>

/** As the windows allow. False: the stream is over before. */
async function sendContent(stream: PeerStream, bytes: Buffer, most: number): Promise<boolean> {
  const { peer } = stream
  const isOver = (): boolean => stream.reset !== undefined || peer.isClosed
  for (let at = 0; at < bytes.length; ) {
    await peer.until(() => isOver() || (stream.window > 0 && peer.window > 0), 'a window', 30_000)
    if (isOver()) return false
    const length = Math.min(most, bytes.length - at, stream.window, peer.window)
    stream.window -= length
    peer.window -= length
    stream.data(bytes.subarray(at, at + length))
    at += length
  }
  return true
}

/** An upstream that speaks nothing else. It knows the plans of the other one. */
export class StreamProvider implements AsyncDisposable {
  readonly origin: Http2Origin
  readonly #provider: Provider
  readonly #ledger: Ledger

  static async start(ledger: Ledger, provider: Provider): Promise<StreamProvider> {
    let it: StreamProvider | undefined
    const origin = await startHttp2Origin((stream) => void it?.answer(stream))
    it = new StreamProvider(origin, provider, ledger)
    return it
  }

  constructor(origin: Http2Origin, provider: Provider, ledger: Ledger) {
    this.origin = origin
    this.#provider = provider
    this.#ledger = ledger
  }

  async answer(stream: PeerStream): Promise<void> {
    this.origin.requests.length = 0
    const [, generation, id] = /^\/g(\d+)\/\w+\/([^/]+)$/.exec(stream.value(':path') ?? '') ?? []
    const plan = this.#provider.plans.get(id ?? '')
    if (plan === undefined) return this.#ledger.problem(`a stream upstream that nobody opened: ${stream.heads}`)
    const wrong = wrongWith(plan, Number(generation), this.#provider.generation, {
      method: stream.value(':method'),
      value: (name) => stream.value(name),
      all: `${stream.heads}`,
    })
    if (wrong !== undefined) this.#ledger.problem(`${plan.id} arrived with ${wrong}: ${stream.heads}`)
    plan.arrived.resolve()
    const { peer } = stream
    await peer.until(() => stream.hasEnded || stream.reset !== undefined || peer.isClosed, 'the request', 30_000)
    if (stream.hasEnded && plan.isWhole !== false) {
      const differing = differs(Buffer.concat(stream.pieces), `q${plan.id}`, plan.request.size)
      if (differing !== undefined) this.#ledger.problem(`${plan.id} arrived with ${differing}`)
      await this.#respond(stream, plan)
    }
    peer.streams.delete(stream.id)
  }

  async #respond(stream: PeerStream, plan: Plan): Promise<void> {
    const { response, random } = plan
    const length: FieldPair[] = response.framing === 'length' ? [['content-length', `${response.size}`]] : []
    const way = plan.breaks ?? 'not'
    if (way === 'before') return stream.cancel(random.pick([0, 2, 8, 11]))
    if (random.below(20) === 0)
      stream.headers([
        [':status', '103'],
        ['link', '</x>'],
      ])
    stream.headers([[':status', '200'], ['x-id', plan.id], ...length])
    const content = contentOf(`r${plan.id}`, response.size)
    const sent = way === 'within' ? content.subarray(0, random.below(content.length)) : content
    if (!(await sendContent(stream, sent, random.pick([100, 5_000, 16_384])))) return
    if (way === 'within') stream.cancel(random.pick([0, 2, 8]))
    else if (response.framing !== 'length' && random.below(4) === 0) stream.headers([['x-owner', `r${plan.id}`]], true)
    else stream.data('', true)
  }

  /** Connections that wait in the gateway's pools go. */
  hangUp(): void {
    for (const { socket } of this.origin.peers) socket.destroy()
    this.origin.peers.length = 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.origin[Symbol.asyncDispose]()
  }
}

// ---- clients

function fieldsOf(plan: Begun): FieldPair[] {
  const { framing, size } = plan.request
  return [
    [':method', plan.method],
    [':scheme', 'http'],
    [':authority', 'a'],
    [':path', plan.target],
    ['authorization', `Bearer soak-client-key-of-${plan.generation}`],
    ['x-id', plan.id],
    ...(framing === 'length' ? ([['content-length', `${size}`]] as const) : []),
  ]
}

/** A stream with its request on the way. */
function opened(peer: Http2Peer, plan: Begun): { stream: PeerStream; sent: Promise<boolean> } {
  const hasContent = plan.request.framing !== 'none'
  const stream = peer.open(fieldsOf(plan), !hasContent)
  if (!hasContent) return { stream, sent: Promise.resolve(true) }
  const content = contentOf(`q${plan.id}`, plan.request.size)
  const sent = sendContent(stream, content, plan.random.pick([200, 16_384])).then((isWhole) => {
    if (isWhole && plan.isWhole !== false) stream.data('', true)
    return isWhole
  })
  return { stream, sent }
}

function anyOrder(client: Client): Order {
  const { random } = client
  const framing = random.pick(['length', 'chunked', 'none'] as const)
  return {
    method: framing === 'none' ? 'GET' : 'POST',
    request: { framing, size: framing === 'none' ? 0 : anySize(random) },
    response: { framing: random.pick(['length', 'chunked']), size: anySize(random) },
    upstream: random.pick(['up', 'two']),
    script: async (request, plan) => {
      await client.soak.provider.take(request, plan)
      await answer(request, plan)
    },
  }
}

async function whole(client: Client, peer: Http2Peer): Promise<void> {
  const plan = client.begin(anyOrder(client))
  const { stream } = opened(peer, plan)
  await stream.ended(30_000)
  const wrong =
    stream.status !== '200' || !stream.hasEnded || stream.value('x-id') !== plan.id
      ? `${stream.status} ${stream.hasEnded} ${stream.reset} ${stream.text.slice(0, 200)}`
      : differs(Buffer.concat(stream.pieces), `r${plan.id}`, plan.response.size)
  if (wrong !== undefined) client.soak.ledger.problem(`${plan.id} was answered with ${wrong}`)
  client.end(plan, ['200 complete -'], [contentBytes(plan.request), plan.response.size])
}

async function cancelled(client: Client, peer: Http2Peer): Promise<void> {
  const plan = client.begin({ ...anyOrder(client), isWhole: false, script: () => {} })
  const { stream } = opened(peer, plan)
  await plan.arrived.promise
  stream.cancel()
  client.end(plan, ['- client_abort client_abort'])
}

async function broken(client: Client, peer: Http2Peer): Promise<void> {
  const breaks = client.random.pick(['before', 'within'] as const)
  const plan = client.begin({
    ...anyOrder(client),
    upstream: 'two',
    response: { framing: 'length', size: 1 + anySize(client.random) },
    breaks,
  })
  const { stream } = opened(peer, plan)
  await stream.ended(30_000)
  const seen = `${stream.status} ${stream.hasEnded}`
  // A reset does not wait behind a head that could not go yet.
  const isOvertaken = breaks === 'within' && seen === 'undefined false' && stream.reset === 2
  if (!isOvertaken && seen !== (breaks === 'before' ? '502 true' : '200 false'))
    client.soak.ledger.problem(`${plan.id}: ${seen}`)
  client.end(plan, [
    breaks === 'before' ? '502 upstream_abort upstream_reset' : '200 upstream_abort upstream_truncated',
  ])
}

/** Several streams at once on a connection of their own. */
export async function streams(client: Client): Promise<void> {
  const { random, soak } = client
  using peer = await connectHttp2Over(await soak.socket(['h2']))
  const kinds = [whole, whole, whole, cancelled, broken]
  await Promise.all(Array.from({ length: 1 + random.below(8) }, () => random.pick(kinds)(client, peer)))
  if (peer.goaways.length > 0) soak.ledger.problem(`GOAWAY ${JSON.stringify(peer.goaways)}`)
}

/** Its connection ends while streams run. */
export async function streamsThatAreLeft(client: Client): Promise<void> {
  const { random, soak } = client
  using peer = await connectHttp2Over(await soak.socket(['h2']))
  const plans = Array.from({ length: 1 + random.below(8) }, () => {
    const plan = client.begin({ ...anyOrder(client), isWhole: false, script: () => {} })
    opened(peer, plan).sent.catch(() => {})
    return plan
  })
  await Promise.all(plans.map(({ arrived }) => arrived.promise))
  peer.socket.destroy()
  for (const plan of plans) client.end(plan, ['- client_abort client_abort'])
}

/** HTTP/1.1 on this side, HTTP/2 on the other. */
export async function towardsHttp2(
  client: Client,
  unary: (client: Client, order: Order) => Promise<void>,
): Promise<void> {
  await unary(client, { ...anyOrder(client), upstream: 'two' })
}
