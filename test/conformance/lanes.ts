import { readFileSync } from 'node:fs'
import { type ConfigObject, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, startOrigin } from '../support/origin.ts'

/** Milliseconds that the clocks are set to: few vectors wait for one of them, and none may meet one because the machine is busy. */
export const CLOCK_MS = 3_000

/** Of silence in a body: a vector that drips is silent for a second between two drops. */
const BODY_CLOCK_MS = 800

/**
 * A gateway and an origin that one vector at a time has to itself, so that what arrives upstream belongs to that vector
 * and to no other.
 */
export interface Lane {
  readonly gateway: RunningGateway
  readonly origin: Origin
}

const LANES = 4

/** Runs vectors side by side, each in a lane of its own. */
export class Lanes implements AsyncDisposable {
  readonly all: readonly Lane[]
  readonly #free: Lane[]
  readonly #waiting: ((lane: Lane) => void)[] = []

  constructor(lanes: readonly Lane[]) {
    this.all = lanes
    this.#free = [...lanes]
  }

  async run<T>(work: (lane: Lane) => Promise<T>): Promise<T> {
    const lane = this.#free.pop() ?? (await new Promise<Lane>((resolve) => this.#waiting.push(resolve)))
    try {
      return await work(lane)
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free.push(lane)
      else next(lane)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.flatMap((lane) => [lane.gateway.stop(), lane.origin.close()]))
  }
}

/** Lanes whose gateways route `/up` to `/up` of their origin; `more` is added to the configuration. */
export async function openLanes(more: ConfigObject = {}, upstreams: ConfigObject = {}): Promise<Lanes> {
  const opening = Array.from({ length: LANES }, async (): Promise<Lane> => {
    const origin = await startOrigin()
    const gateway = await startGateway({
      server: { head_timeout_ms: CLOCK_MS, body_timeout_ms: BODY_CLOCK_MS, keep_alive_timeout_ms: 10 * CLOCK_MS },
      upstreams: {
        ...upstreams,
        up: { request_path: '/up', target_url: `${origin.url}/up`, api_key: PROVIDER_KEY },
      },
      ...more,
    })
    return { gateway, origin }
  })
  return new Lanes(await Promise.all(opening))
}

export function readVectors<Vector>(name: string): {
  readonly meta: Record<string, unknown>
  readonly vectors: Vector[]
} {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8'))
}
