import { connect } from 'node:net'
import { join } from 'node:path'
import type { Contender, Load, Posts } from '../contenders/contender.ts'
import { fluxgate } from '../contenders/fluxgate.ts'
import type { Server } from '../contenders/server.ts'
import { VARIATIONS, type Variation } from '../load/heads.ts'
import type { Posted, PostLoad } from '../load/post-clients.ts'
import { contentOrigin, program, smallOrigin, targetOf } from '../load/programs.ts'
import { meter } from '../machine/usage.ts'
import { inTurn, type Metric, type Scenario, Shortfall, type Times } from './scenario.ts'
import { OTHERS, type Trial, undisturbed } from './undisturbed.ts'

const SMALL = 230
const LARGE = 512 * 1024
/** Who answers less than this share of what is asked has been driven to its limit, and its figures say something else. */
const LEAST_SHARE = 0.95

const CPU: Metric = { key: 'cpu', title: 'CPU µs per request', digits: 1 }

export interface PostPlan {
  readonly origin: (isTls: boolean) => Promise<Server>
  readonly load: Exclude<keyof Load, 'stream' | 'tlsStream' | 'idle' | 'streams'>
  readonly contentBytes: number
  readonly variation?: Variation
  readonly isFresh?: boolean
  readonly isTls?: boolean
  readonly clients?: 'tls' | 'http2'
  /** The rate is as many times that of the load. */
  readonly workers?: number
}

function small(variation: Variation, title: string): Scenario {
  return {
    title: `small POST, 64 connections, 16 000/s: ${title}`,
    metrics: [CPU, OTHERS],
    round: cpuOf({ origin: smallOrigin, load: 'post', contentBytes: SMALL, variation }),
  }
}

export const post = small('repeated', `head ${VARIATIONS.repeated}`)
export const length = small('length', VARIATIONS.length)
export const field = small('field', VARIATIONS.field)
export const sdk = small('sdk', VARIATIONS.sdk)

export const upload: Scenario = {
  title: 'POST of 512 KB, 16 connections, 1600/s',
  metrics: [CPU, OTHERS],
  round: cpuOf({ origin: contentOrigin, load: 'upload', contentBytes: LARGE }),
}

export const fresh: Scenario = {
  title: 'small POST over a new connection each time, 3000/s',
  metrics: [CPU, OTHERS],
  round: cpuOf({ origin: smallOrigin, load: 'fresh', contentBytes: SMALL, isFresh: true }),
}

export const tlsPost: Scenario = {
  title: 'TLS to the upstream: small POST, 64 connections, 8000/s',
  metrics: [CPU, OTHERS],
  round: cpuOf({ origin: smallOrigin, load: 'tlsPost', contentBytes: SMALL, isTls: true }),
}

export const tlsUpload: Scenario = {
  title: 'TLS to the upstream: POST of 512 KB, 16 connections, 320/s',
  metrics: [CPU, OTHERS],
  round: cpuOf({ origin: contentOrigin, load: 'tlsUpload', contentBytes: LARGE, isTls: true }),
}

export const tlsClientPost: Scenario = {
  title: 'TLS to the clients: small POST, 64 connections, 8000/s',
  metrics: [CPU, OTHERS],
  round: cpuOf({ origin: smallOrigin, load: 'tlsClientPost', contentBytes: SMALL, clients: 'tls' }),
}

export const http2Post: Scenario = {
  title: 'HTTP/2 to the clients: small POST, 8 connections, 8000/s',
  metrics: [CPU, OTHERS],
  round: cpuOf({ origin: smallOrigin, load: 'http2Post', contentBytes: SMALL, clients: 'http2' }),
}

const [OFF, ON] = ['log off', 'log on']

export const log: Scenario = {
  title: 'Fluxgate with a record for each request and without, small POST',
  metrics: [CPU, OTHERS],
  between: { contenders: () => [fluxgate(ON), fluxgate(OFF, { level: 'warn' })], ours: ON, yardstick: OFF },
  round: cpuOf({ origin: smallOrigin, load: 'post', contentBytes: SMALL }),
}

const [UNCOUNTED, COUNTED] = ['metrics off', 'metrics on']

export const metrics: Scenario = {
  title: 'Fluxgate with its metrics scraped each second and without, small POST',
  metrics: [CPU, OTHERS],
  between: {
    contenders: () => [fluxgate(COUNTED, { scraped: 'admin.sock' }), fluxgate(UNCOUNTED)],
    ours: COUNTED,
    yardstick: UNCOUNTED,
  },
  round: cpuOf({ origin: smallOrigin, load: 'post', contentBytes: SMALL }),
}

const [UNUSED, USED, KEPT] = ['usage off', 'usage on', 'ledger']

/** What an exchange has used: read, and written to a ledger as well, against nobody looking. */
export const readsUsage: NonNullable<Scenario['between']> = {
  contenders: () => [fluxgate(KEPT, { usage: 'ledger' }), fluxgate(USED), fluxgate(UNUSED, { usage: 'off' })],
  ours: KEPT,
  yardstick: UNUSED,
}

export const usagePost: Scenario = { ...post, title: `${post.title}, with usage and without`, between: readsUsage }
export const usageUpload: Scenario = {
  ...upload,
  title: `${upload.title}, with usage and without`,
  between: readsUsage,
}

/** Asks for `/metrics` each second, until it is disposed. */
function scrape(path: string): Disposable {
  const timer = setInterval(() => {
    const socket = connect({ path }, () =>
      socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
    )
    socket.on('error', () => {}).resume()
  }, 1000)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

function cpuOf(plan: PostPlan): Scenario['round'] {
  return inTurn((contender, times) => undisturbed(contender.name, () => measure(contender, plan, times)))
}

/** In microseconds. */
export async function cpuPerRequest(contender: Contender, plan: PostPlan, times: Times): Promise<number> {
  const { cpu } = await undisturbed(contender.name, () => measure(contender, plan, times))
  return cpu!
}

async function measure(contender: Contender, plan: PostPlan, times: Times): Promise<Trial> {
  const { isTls = false, clients: speaks, workers } = plan
  await using origin = await plan.origin(isTls)
  const situation = {
    originPort: origin.port,
    isTls,
    ...(workers === undefined ? {} : { workers }),
    ...(speaks === undefined ? {} : { clients: speaks }),
  }
  await using gateway = await contender.start(situation)
  using _scraping = contender.scraped === undefined ? undefined : scrape(join(gateway.folder, contender.scraped))
  const posts: Posts = contender.load[plan.load]
  const load: PostLoad = {
    ...posts,
    ...times,
    rate: posts.rate * (workers ?? 1) * times.share,
    target: targetOf(contender.name, contender, gateway.port, origin.port),
    contentBytes: plan.contentBytes,
    variation: plan.variation ?? 'repeated',
    isFresh: plan.isFresh ?? false,
    isTls: speaks === 'tls',
  }
  await using clients = program(speaks === 'http2' ? 'http2-clients.ts' : 'post-clients.ts', [JSON.stringify(load)])
  await clients.line()
  const used = meter(gateway.pid, workers !== 2)
  const { answered, wrong } = JSON.parse(await clients.line()) as Posted
  const { cpuSeconds, foreignShare } = used()
  if (wrong !== undefined) throw new Error(wrong)
  const perSecond = Math.round(answered / times.seconds)
  if (perSecond < load.rate * LEAST_SHARE)
    throw new Shortfall(`only ${perSecond} of ${load.rate} requests a second were answered`)
  return { figures: { cpu: (cpuSeconds / answered) * 1e6 }, foreignShare }
}
