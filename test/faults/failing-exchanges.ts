import { get, ok, post, postChunked } from '../support/bytes.ts'
import { CLIENT_KEY, type ConfigObject, PROVIDER_KEY } from '../support/gateway.ts'
import type { OriginConnection, OriginRequest } from '../support/origin.ts'
import { connect, type RawClient } from '../support/raw-client.ts'

/** Ways in which an exchange can fail, each to be repeated thousands of times: see `nothing-leaks.test.ts`. */

export interface Failure {
  /** What the client can see, and the records that such an exchange may have; none: it leaves no record. */
  readonly ends: Readonly<Record<string, readonly string[]>>
  /** One exchange, with this target; tells what the client has seen of it. */
  readonly run: (lane: Lane, target: string, n: number) => Promise<string>
  /** The origin's side, as soon as it has a head. */
  readonly answer?: (request: OriginRequest, n: number) => void
  /** The path of its upstream; default `/up`. */
  readonly upstream?: string
  /** How many exchanges at once; default 64. Where each waits for a clock there have to be more. */
  readonly lanes?: number
  /** Bytes of resident memory an exchange that count as a leak, where that is not as everywhere. */
  readonly residentLeak?: number
  /** Settings under `server` that it needs. */
  readonly server?: ConfigObject
}

/** Long enough for whatever is meant to arrive before, on a machine that has other work as well. */
const CLOCK_MS = 100
const MANY_LANES = 500

/** The upstreams: the origin, the same with one short timeout or another, a port where nobody listens, one where nobody speaks TLS. */
export function upstreamsAt(origin: string, clear: number): ConfigObject {
  const to = (path: string, url: string, timeouts: ConfigObject = {}): ConfigObject => ({
    request_path: path,
    target_url: url,
    api_key: PROVIDER_KEY,
    websocket: true,
    ...timeouts,
  })
  return {
    up: to('/up', origin),
    hasty: to('/hasty', origin, { response_timeout_ms: CLOCK_MS }),
    restless: to('/restless', origin, { idle_timeout_ms: CLOCK_MS }),
    closed: to('/closed', 'http://127.0.0.1:1'),
    clear: to('/clear', `https://127.0.0.1:${clear}`),
  }
}

/** One exchange after the other, on one connection for as long as it lasts. */
export class Lane implements Disposable {
  readonly #port: number
  readonly #arrivals: Arrivals
  #kept: RawClient | undefined

  constructor(port: number, arrivals: Arrivals) {
    this.#port = port
    this.#arrivals = arrivals
  }

  /** Another connection for every exchange. */
  fresh(): Promise<RawClient> {
    return connect(this.#port)
  }

  /** Sends a request and tells how it was answered. */
  async ask(bytes: string): Promise<string> {
    if (this.#kept?.ending !== undefined) this[Symbol.dispose]()
    const client = (this.#kept ??= await this.fresh())
    void client.write(bytes)
    const response = await client.response(client.responses.length)
    if (response.state !== 'complete' || response.value('connection') === 'close') {
      await client.ended()
      this[Symbol.dispose]()
    }
    return `${response.status} ${response.state}`
  }

  /** Sends on a connection of its own, and leaves when the origin has got the head. */
  async leave(bytes: string, target: string, n: number): Promise<string> {
    const client = await this.fresh()
    const arrived = this.#arrivals.of(target)
    void client.write(bytes)
    await arrived
    leave(client, n)
    return 'nothing'
  }

  [Symbol.dispose](): void {
    this.#kept?.socket.destroy()
    this.#kept = undefined
  }
}

/** Tells clients when their requests have reached the origin. */
export class Arrivals {
  readonly #waiting = new Map<string, () => void>()

  /** `target` as the client sends it: its first segment, the upstream's, is not seen by the origin. */
  of(target: string): Promise<void> {
    return new Promise((resolve) => this.#waiting.set(target.slice(target.indexOf('/', 1)), resolve))
  }

  tell(target: string): void {
    this.#waiting.get(target)?.()
    this.#waiting.delete(target)
  }
}

/** By FIN and by RST in turn. */
function leave(client: RawClient, n: number): void {
  if (n % 2 === 0) client.socket.destroy()
  else client.reset()
}

function end(connection: OriginConnection, n: number): void {
  if (n % 2 === 0) void connection.fin()
  else connection.reset()
}

/** Once the bytes are on their way. */
const endAfter = (connection: OriginConnection, bytes: string, n: number): void =>
  void connection.write(bytes).then(() => end(connection, n))

const turn = <T>(choice: readonly T[], n: number): T => choice[n % choice.length]!

const WRONG_KEY = 'wrong'
const uploadHead = (target: string, length: number): string =>
  `POST ${target} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${CLIENT_KEY}\r\nContent-Length: ${length}\r\n\r\n`
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

/** A POST: it is never sent twice. */
const ask: Failure['run'] = (lane, target) => lane.ask(post(target, 'tokens cost money'))
const refused = (status: number, error: string, outcome = 'refused'): Failure['ends'] => ({
  [`${status} complete`]: [`${status} ${outcome} ${error}`],
})

const atTheDoor: Readonly<Record<string, Failure>> = {
  'a wrong key, and a body that is dropped': {
    ends: refused(401, 'unauthorized'),
    run: (lane, target) => lane.ask(post(target, 'tokens cost money').replace(CLIENT_KEY, WRONG_KEY)),
  },
  'a wrong key, and a body that will never be read': {
    ends: refused(401, 'unauthorized'),
    run: (lane, target) =>
      lane.ask(uploadHead(target, 1_000_000).replace(CLIENT_KEY, WRONG_KEY) + 'x'.repeat(1 + (target.length % 3_000))),
  },
  'a path that leads nowhere': { ends: refused(404, 'no_route'), run: ask, upstream: '/nowhere' },
  'a malformed head': {
    ends: refused(400, 'bad_host'),
    run: (lane, target) => lane.ask(get(target).replace('gateway.test', 'gate way')),
  },
  'two framings': {
    ends: refused(400, 'bad_framing'),
    run: (lane, target) => lane.ask(get(target, 'Content-Length: 3', 'Transfer-Encoding: chunked')),
  },
  'a malformed chunk': {
    ends: refused(400, 'bad_chunk'),
    run: (lane, target) => lane.ask(`${postChunked(target)}${turn(['', '2\r\nab\r\n'], target.length)}z\r\n`),
  },
  'a request line that does not end': {
    ends: { nothing: [] },
    run: async (lane, target, n) => {
      const client = await lane.fresh()
      await client.write(`GET ${target}`.slice(0, n % 12))
      leave(client, n >> 1)
      return 'nothing'
    },
  },
  'a head that does not end, and a client that leaves': {
    ends: { nothing: ['- client_abort client_abort'] },
    run: async (lane, target) => {
      const client = await lane.fresh()
      void client.write(`GET ${target} HTTP/1.1\r\nHost: a\r\nX-A: `)
      await client.fin() // a reset could overtake the bytes in the gateway's kernel
      await client.ended()
      client.socket.destroy()
      return 'nothing'
    },
  },
}

/** How an exchange goes on after the head of its response, by the number of the exchange. */
const breakers = new Map<number, () => void>()

const upstreams: Readonly<Record<string, Failure>> = {
  'an upstream that refuses connections': {
    ends: refused(502, 'connect_refused', 'upstream_abort'),
    run: ask,
    upstream: '/closed',
    lanes: MANY_LANES, // it tries twice, with a pause
  },
  'an upstream that speaks no TLS': {
    ends: refused(502, 'tls', 'upstream_abort'),
    run: ask,
    upstream: '/clear',
    lanes: 250,
    // What OpenSSL holds for a connection goes with the next collection of garbage, and leaves holes. A lost one is 10 KB.
    residentLeak: 3_000,
  },
  'an upstream that ends before its head': {
    ends: refused(502, 'upstream_reset', 'upstream_abort'),
    run: ask,
    answer: ({ connection }, n) => end(connection, n),
  },
  'an upstream that ends in the middle of its head': {
    ends: refused(502, 'upstream_reset', 'upstream_abort'),
    run: ask,
    answer: ({ connection }, n) => endAfter(connection, 'HTTP/1.1 200 OK\r\nContent-', n),
  },
  'a malformed response': {
    ends: refused(502, 'upstream_protocol', 'upstream_abort'),
    run: ask,
    answer: ({ connection }, n) =>
      void connection.write(
        turn(['nonsense', 'HTTP/1.1 999 Odd\r\n\r\n', `${CHUNKED}z\r\n`, 'HTTP/1.1 101 Switching\r\n\r\n'], n),
      ),
  },
  'a truncated response': {
    ends: { '200 truncated': ['200 upstream_abort upstream_truncated'] },
    run: ask,
    answer: ({ connection }, n) =>
      endAfter(
        connection,
        turn(['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello', `${CHUNKED}5\r\nhello\r\n`], n),
        n,
      ),
  },
  'a chunk that breaks the rules in the middle of a response': {
    ends: { '200 truncated': ['200 upstream_abort upstream_protocol'] },
    run: async (lane, target, n) => {
      const client = await lane.fresh()
      void client.write(get(target))
      const head = await client.responseHead()
      breakers.get(n)!()
      await client.ended()
      client.socket.destroy()
      return `${head.status} ${head.state}`
    },
    answer: ({ connection }, n) => {
      breakers.set(n, () => {
        breakers.delete(n)
        void connection.write('nonsense')
      })
      void connection.write(`${CHUNKED}5\r\nhello\r\n`)
    },
  },
  'a final answer in the middle of an upload': {
    ends: { '413 complete': ['413 complete -'] },
    run: (lane, target) => lane.ask(`${uploadHead(target, 50_000_000)}${'x'.repeat(1_000)}`),
    answer: ({ connection }) =>
      void connection
        .write('HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 7\r\n\r\ntoo big')
        .then(() => connection.fin()),
  },
  'a reused connection that ends instead of answering a POST': {
    ends: { '200 complete': ['200 complete -'], '502 complete': ['502 upstream_abort reused_conn_lost'] },
    run: ask,
    answer: ({ connection }, n) =>
      connection.requests.length > 1 ? end(connection, n) : void connection.write(ok('fine')),
  },
  'a reused connection that ends instead of answering a GET': {
    ends: { '200 complete': ['200 complete -'] },
    run: (lane, target) => lane.ask(get(target)),
    answer: ({ connection }, n) =>
      connection.requests.length > 1 ? end(connection, n) : void connection.write(ok('fine')),
  },
  'bytes that nobody asked for, or an end, behind a response': {
    // What comes on an idle connection may meet the next request on it.
    ends: {
      '200 complete': ['200 complete -'],
      '502 complete': ['502 upstream_abort upstream_protocol', '502 upstream_abort reused_conn_lost'],
    },
    run: ask,
    answer: ({ connection }, n) => {
      if (n % 3 === 0) return void connection.write(`${ok('fine')}nonsense`)
      void connection.write(ok('fine')).then(() => {
        if (n % 3 === 1) void connection.write('nonsense')
        else void connection.fin()
      })
    },
  },
  'no response in time': {
    ends: refused(504, 'response_timeout', 'timeout'),
    run: ask,
    answer: () => {},
    upstream: '/hasty',
    lanes: MANY_LANES,
  },
  'a response that stands still': {
    ends: { '200 truncated': ['200 timeout idle_timeout'] },
    run: ask,
    answer: ({ connection }) => void connection.write(`${CHUNKED}5\r\nhello\r\n`),
    upstream: '/restless',
    lanes: MANY_LANES,
  },
}

const OFFER = ['Connection: Upgrade', 'Upgrade: websocket']
const agree: Failure['answer'] = ({ connection }) =>
  void connection.write('HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')

/** Opens a tunnel, and stays until the gateway has ended it. */
const seeTunnelOut: Failure['run'] = async (lane, target) => {
  const client = await lane.fresh()
  void client.write(get(target, ...OFFER))
  const { status } = await client.responseHead()
  await client.ended()
  client.socket.destroy()
  return `${status}`
}

const tunnels: Readonly<Record<string, Failure>> = {
  'a tunnel whose client leaves': {
    // By its FIN it ends its way only, and this upstream ends its own then.
    ends: { '101': ['101 complete -', '101 client_abort client_abort'] },
    run: async (lane, target, n) => {
      const client = await lane.fresh()
      void client.write(get(target, ...OFFER))
      const { status } = await client.responseHead()
      void client.write('into the tunnel')
      leave(client, n)
      return `${status}`
    },
    answer: agree,
  },
  'a tunnel whose upstream leaves': {
    ends: { '101': ['101 complete -', '101 upstream_abort upstream_truncated'] },
    run: seeTunnelOut,
    answer: (request, n) => {
      agree(request, n)
      setImmediate(() => end(request.connection, n))
    },
  },
  'a tunnel in which nothing moves': {
    ends: { '101': ['101 timeout idle_timeout'] },
    run: seeTunnelOut,
    answer: agree,
    upstream: '/restless',
    lanes: MANY_LANES,
  },
}

const clients: Readonly<Record<string, Failure>> = {
  'a client that leaves before the head': {
    ends: { nothing: ['- client_abort client_abort'] },
    run: (lane, target, n) => lane.leave(post(target, 'tokens cost money'), target, n),
    answer: () => {},
  },
  'a client that leaves in the middle of the response': {
    ends: { '200 open': ['200 client_abort client_abort'] },
    run: async (lane, target, n) => {
      const client = await lane.fresh()
      void client.write(post(target, 'tokens cost money'))
      const head = await client.responseHead()
      const seen = `${head.status} ${head.state}`
      leave(client, n)
      return seen
    },
    answer: ({ connection }) => void connection.write(`${CHUNKED}5\r\nhello\r\n`),
  },
  'a client that leaves in the middle of its upload': {
    ends: { nothing: ['- client_abort client_abort'] },
    run: (lane, target, n) =>
      lane.leave(turn([`${uploadHead(target, 10)}hello`, `${postChunked(target)}5\r\nhello\r\n`], n), target, n >> 1),
    answer: () => {},
  },
  'an upload that stands still': {
    ends: refused(408, 'body_timeout', 'timeout'),
    run: (lane, target) => lane.ask(`${uploadHead(target, 10)}hello`),
    answer: () => {},
    lanes: MANY_LANES,
    server: { body_timeout_ms: CLOCK_MS },
  },
  'a head that stands still': {
    ends: refused(408, 'head_timeout', 'timeout'),
    run: (lane, target) => lane.ask(`GET ${target} HTTP/1.1\r\nHost: a\r\nX-A: `),
    lanes: MANY_LANES,
    server: { head_timeout_ms: CLOCK_MS },
  },
}

export const failures: Readonly<Record<string, Failure>> = {
  ...atTheDoor,
  ...upstreams,
  ...tunnels,
  ...clients,
}
