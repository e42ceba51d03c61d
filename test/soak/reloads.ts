import type { Random } from '../fuzz/random.ts'
import type { ConfigObject, RunningGateway } from '../support/gateway.ts'
import type { Client, Soak } from './client.ts'
import type { Provider } from './provider.ts'

/** Beside the configuration. */
export const ADMIN = 'unix:admin.sock'

const REFUSED = 'Configuration file changed but validation failed; keeping previous settings'

/** Where its upstreams lead, and how clients are served. */
export interface Places {
  readonly provider: Provider
  readonly odd: Provider
  /** It speaks HTTP/2 alone. */
  readonly two: string
  /** It takes WebSockets. */
  readonly tunnels: string
  /** Of `server`. */
  readonly tls: ConfigObject | undefined
  /** The operations door is open. */
  readonly hasMetrics: boolean
}

/**
 * Every configuration lets in its own client key and that of the one before, and has its own provider key and base path, so
 * that a request served by parts of two of them shows.
 */
export function configuration(
  generation: number,
  { provider, odd, two, tunnels, tls, hasMetrics }: Places,
): ConfigObject {
  const clientKey = (each: number): ConfigObject => ({ id: `client ${each}`, key: `soak-client-key-of-${each}` })
  const to = (name: string, url: string, more: ConfigObject = {}): ConfigObject => ({
    request_path: `/${name}`,
    target_url: `${url}/g${generation}`,
    api_key: `provider-key-of-${generation}`,
    ...more,
  })
  return {
    ...(tls === undefined ? {} : { server: { tls } }),
    ...(hasMetrics ? { admin: { bind_address: ADMIN } } : {}),
    api_keys: { static: [clientKey(generation - 1), clientKey(generation)] },
    upstreams: {
      up: to('up', provider.origin.url),
      hasty: to('hasty', provider.origin.url, { response_timeout_ms: 100 }),
      odd: to('odd', odd.origin.url),
      two: to('two', two, { protocol: 'http2' }),
      ws: to('ws', tunnels, { websocket: true }),
      closed: to('closed', 'http://127.0.0.1:1'),
      ...(generation % 2 === 0 ? { changing: to('changing', provider.origin.url) } : {}),
    },
  }
}

/** One new configuration after the other, and now and then one that is no good. */
export class Reloads {
  count = 0
  slowestMs = 0
  readonly #soak: Soak
  readonly #gateway: RunningGateway
  readonly #clients: readonly Client[]
  readonly #places: Places
  #refused = 0

  constructor(soak: Soak, gateway: RunningGateway, clients: readonly Client[], places: Places) {
    this.#soak = soak
    this.#gateway = gateway
    this.#clients = clients
    this.#places = places
  }

  /** One after the other, until then. */
  async run(until: number, choice: Random): Promise<void> {
    // The log is forgotten between two rounds.
    this.#refused = 0
    while (performance.now() < until && this.#soak.ledger.problems.length === 0) {
      if (choice.below(8) === 0) await this.#spoil()
      await this.#renew(choice)
    }
  }

  async #spoil(): Promise<void> {
    this.#soak.ledger.expectEvent(REFUSED)
    this.#gateway.rewrite({ upstreams: { up: { request_path: 'no slash', target_url: `${this.count}` } } })
    await this.#gateway.waitForLog(REFUSED, ++this.#refused)
  }

  async #renew(choice: Random): Promise<void> {
    const { provider, generation } = this.#soak
    // Whoever still uses the key that goes would be refused, and rightly so.
    await this.#soak.watch.until(
      () => this.#clients.every((client) => (client.generation ?? generation) === generation),
      'all to use the newest key',
      60_000,
    )
    const next = generation + 1
    this.#gateway.rewrite(configuration(next, this.#places))
    const savedAt = performance.now()
    if (choice.below(2) === 0) this.#gateway.signal('SIGHUP')
    // By its key, and not by the number of such lines: a SIGHUP that comes late reports what is in force already.
    const added = `"keys_added":"client ${next}"`
    await this.#gateway.until(() => this.#gateway.log().includes(added), `${added} in the log`)
    this.slowestMs = Math.max(this.slowestMs, performance.now() - savedAt)
    this.#soak.generation = provider.generation = this.#places.odd.generation = next
    this.count++
  }
}
