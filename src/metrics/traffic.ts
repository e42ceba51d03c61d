/** What a thread that serves counts of its traffic. What is to be counted when, the path says: see `exchange/measure.ts`. */
import type { Outcome } from '../failure.ts'
import { isRegistered } from '../http/method.ts'
import { FAMILIES } from './families.ts'
import { add, type Counted, observe, type Series, set } from './series.ts'
import { UsageCounts } from './usage-counts.ts'

const EXCHANGE_BOUNDS = FAMILIES.fluxgate_request_duration_seconds.bounds!
const OVERHEAD_BOUNDS = FAMILIES.fluxgate_gateway_overhead_seconds.bounds!
const CONNECT_BOUNDS = FAMILIES.fluxgate_upstream_connect_seconds.bounds!

/** An exchange that has ended. */
export interface Ended {
  readonly apiKey: string
  readonly method: string
  readonly status: number | undefined
  readonly outcome: Outcome
  /** Code of its failure. */
  readonly failure: string | undefined
  /** The client got an answer of the gateway itself. */
  readonly isAnswered: boolean
  /** Status that the upstream gave. */
  readonly upstreamStatus: number | undefined
  readonly durationMs: number
  readonly ttfbMs: number | undefined
  readonly requestBytes: number
  readonly responseBytes: number
  readonly hasRetried: boolean
}

const OUTCOMES: Readonly<Record<Outcome, number>> = {
  complete: 0,
  client_abort: 1,
  upstream_abort: 2,
  timeout: 3,
  refused: 4,
}

/** All that concerns one upstream; that of the empty name is for exchanges that had none. */
export class UpstreamCounts {
  readonly inFlight: Counted
  readonly streams: Counted
  readonly #name: string
  readonly #series: Series
  readonly #duration: Counted
  readonly #ttfb: Counted
  readonly #requestBytes: Counted
  readonly #responseBytes: Counted
  /** By key, then by method, status and outcome as one number; an unknown method has one of its own. */
  readonly #requests = new Map<string, Map<number, Counted>>()
  readonly #responses = new Map<number, Counted>()
  readonly #outcomes = new Map<Outcome, Counted>()

  constructor(series: Series, name: string) {
    this.#series = series
    this.#name = name
    this.inFlight = series.of('fluxgate_exchanges_in_flight', name)
    this.streams = series.of('inner_streams', name)
    this.#duration = series.of('fluxgate_request_duration_seconds', name)
    this.#ttfb = series.of('fluxgate_time_to_first_byte_seconds', name)
    this.#requestBytes = series.of('fluxgate_request_body_bytes_total', name)
    this.#responseBytes = series.of('fluxgate_response_body_bytes_total', name)
  }

  ended(exchange: Ended): void {
    const { status, outcome, failure, upstreamStatus, ttfbMs, requestBytes, responseBytes } = exchange
    add(this.#request(exchange), 1)
    add(this.#outcome(outcome), 1)
    observe(this.#duration, EXCHANGE_BOUNDS, exchange.durationMs / 1000)
    if (ttfbMs !== undefined) observe(this.#ttfb, EXCHANGE_BOUNDS, ttfbMs / 1000)
    if (upstreamStatus !== undefined) add(this.#response(upstreamStatus), 1)
    if (requestBytes > 0) add(this.#requestBytes, requestBytes)
    if (responseBytes > 0) add(this.#responseBytes, responseBytes)
    if (failure !== undefined) add(this.#series.of('inner_failures', this.#name, failure), 1)
    else if (status !== undefined && status >= 400)
      add(this.#series.of('inner_failures', this.#name, `status ${status}`), 1)
    if (exchange.hasRetried) add(this.#series.of('fluxgate_retries_total', this.#name), 1)
  }

  #request({ apiKey, method, status = 0, outcome }: Ended): Counted {
    let ofKey = this.#requests.get(apiKey)
    if (ofKey === undefined) this.#requests.set(apiKey, (ofKey = new Map()))
    const at = (numberOf(method) * 1000 + status) * 8 + OUTCOMES[outcome]
    let counted = ofKey.get(at)
    if (counted === undefined) {
      const shown = isRegistered(method) ? method : 'other'
      const code = status === 0 ? '' : `${status}`
      counted = this.#series.of('fluxgate_requests_total', this.#name, apiKey, shown, code, outcome)
      ofKey.set(at, counted)
    }
    return counted
  }

  #response(status: number): Counted {
    let counted = this.#responses.get(status)
    if (counted === undefined) {
      counted = this.#series.of('fluxgate_upstream_responses_total', this.#name, `${status}`)
      this.#responses.set(status, counted)
    }
    return counted
  }

  #outcome(outcome: Outcome): Counted {
    let counted = this.#outcomes.get(outcome)
    if (counted === undefined) {
      counted = this.#series.of('inner_outcomes', this.#name, outcome)
      this.#outcomes.set(outcome, counted)
    }
    return counted
  }

  connected(result: string, seconds: number): void {
    add(this.#series.of('fluxgate_upstream_connects_total', this.#name, result), 1)
    if (result === 'ok')
      observe(this.#series.of('fluxgate_upstream_connect_seconds', this.#name), CONNECT_BOUNDS, seconds)
  }

  connections(state: 'idle' | 'busy' | 'connecting', count: number): void {
    set(this.#series.of('fluxgate_upstream_connections', this.#name, state), count)
  }

  forgetKeys(apiKeys: ReadonlySet<string>): void {
    for (const apiKey of this.#requests.keys()) if (apiKeys.has(apiKey)) this.#requests.delete(apiKey)
  }
}

const METHODS = ['POST', 'GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT', 'TRACE']

function numberOf(method: string): number {
  return METHODS.indexOf(method) + 1
}

interface KeyCounts {
  readonly requests: Counted
  readonly errors: Counted
}

export class Traffic {
  readonly series: Series
  readonly #upstreams = new Map<string, UpstreamCounts>()
  readonly #keys = new Map<string, KeyCounts>()
  readonly #refusals = new Map<string, Counted>()
  readonly usage: UsageCounts
  readonly #requestOverhead: Counted
  readonly #responseOverhead: Counted

  /** `models`: see `UsageCounts`. */
  constructor(series: Series, models: SharedArrayBuffer) {
    this.series = series
    this.usage = new UsageCounts(series, models)
    this.#requestOverhead = series.of('fluxgate_gateway_overhead_seconds', 'request')
    this.#responseOverhead = series.of('fluxgate_gateway_overhead_seconds', 'response')
  }

  upstream(name: string): UpstreamCounts {
    let counts = this.#upstreams.get(name)
    if (counts === undefined) this.#upstreams.set(name, (counts = new UpstreamCounts(this.series, name)))
    return counts
  }

  requestSent(ms: number): void {
    observe(this.#requestOverhead, OVERHEAD_BOUNDS, ms / 1000)
  }

  responseSent(ms: number): void {
    observe(this.#responseOverhead, OVERHEAD_BOUNDS, ms / 1000)
  }

  ended(upstream: UpstreamCounts, exchange: Ended): void {
    upstream.ended(exchange)
    const key = this.#key(exchange.apiKey)
    add(key.requests, 1)
    if (exchange.outcome !== 'complete' || exchange.status! >= 400) add(key.errors, 1)
    if (exchange.isAnswered && exchange.failure !== undefined) add(this.#refusal(exchange.failure), 1)
  }

  #key(apiKey: string): KeyCounts {
    let counts = this.#keys.get(apiKey)
    if (counts === undefined) {
      counts = {
        requests: this.series.of('inner_keys', apiKey, 'requests'),
        errors: this.series.of('inner_keys', apiKey, 'errors'),
      }
      this.#keys.set(apiKey, counts)
    }
    return counts
  }

  #refusal(failure: string): Counted {
    let counted = this.#refusals.get(failure)
    if (counted === undefined) {
      counted = this.series.of('fluxgate_refusals_total', `fluxgate_${failure}`)
      this.#refusals.set(failure, counted)
    }
    return counted
  }

  /** What the configuration has not named for long, and nobody uses any more. */
  forget(label: 'upstream' | 'api_key', values: readonly string[]): void {
    const gone = new Set(values)
    if (label === 'upstream') for (const value of gone) this.#upstreams.delete(value)
    else {
      for (const counts of this.#upstreams.values()) counts.forgetKeys(gone)
      for (const value of gone) this.#keys.delete(value)
    }
    this.usage.forget(label, gone)
    this.series.forget(label, gone)
  }
}
