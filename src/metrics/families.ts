/**
 * Every family of metrics that is the gateway's own: THE list, from which the reference page, the exposition and the tests of the
 * dashboards are made. Names follow Prometheus (base units, `_total`). Labels are taken from the configuration or from fixed lists, never
 * from what a client may choose freely; what is not known is empty.
 */

export interface FamilyKind {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly labels: readonly string[]
  /** Upper bounds of a histogram's buckets, rising; the last one, `+Inf`, goes without saying. */
  readonly bounds?: readonly number[]
  /** For the view of the operations door alone: it is not exposed. */
  readonly isInner?: true
}

/** Seconds; from the fastest answer of a cache to the longest stream that anybody waits for. */
const EXCHANGE_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600] as const
const CONNECT_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const
/** What the gateway adds is a few dozen microseconds, and milliseconds where it waits for the event loop. */
const OVERHEAD_SECONDS = [
  0.000_025, 0.000_05, 0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1,
] as const

const TOKENS_PER_SECOND = [1, 2.5, 5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000, 2500] as const

/** The help of a family, with what its label says where that needs saying. */
function counter(help: string, ...labels: readonly string[]): FamilyKind {
  return { type: 'counter', help, labels }
}

function gauge(help: string, ...labels: readonly string[]): FamilyKind {
  return { type: 'gauge', help, labels }
}

function histogram(help: string, bounds: readonly number[], ...labels: readonly string[]): FamilyKind {
  return { type: 'histogram', help, labels, bounds }
}

function inner(family: FamilyKind): FamilyKind {
  return { ...family, isInner: true }
}

export const FAMILIES = {
  fluxgate_requests_total: counter(
    'Requests that have ended, as their records say it. code: status that the client got, empty if it got none.',
    'upstream',
    'api_key',
    'method',
    'code',
    'outcome',
  ),
  fluxgate_request_duration_seconds: histogram(
    'From the first byte of a request to the last one of its response.',
    EXCHANGE_SECONDS,
    'upstream',
  ),
  fluxgate_time_to_first_byte_seconds: histogram(
    "From a request to the head of the upstream's response.",
    EXCHANGE_SECONDS,
    'upstream',
  ),
  fluxgate_gateway_overhead_seconds: histogram(
    "What the gateway itself adds: from a request's head to the upstream's socket (request), without looking names up and connecting, and from the head of the response to the client's socket (response).",
    OVERHEAD_SECONDS,
    'phase',
  ),
  fluxgate_request_body_bytes_total: counter('Content of requests that was relayed, counted at their end.', 'upstream'),
  fluxgate_response_body_bytes_total: counter(
    'Content of responses that was relayed, counted at their end.',
    'upstream',
  ),
  fluxgate_exchanges_in_flight: gauge('Exchanges that have an upstream and are not over.', 'upstream'),
  fluxgate_refusals_total: counter('Answers of the gateway itself, by the code in x-fluxgate-error.', 'code'),
  fluxgate_retries_total: counter('Requests that were sent to their upstream a second time.', 'upstream'),
  fluxgate_upstream_responses_total: counter(
    'Responses of upstreams, by the status that they gave.',
    'upstream',
    'code',
  ),
  fluxgate_upstream_connections: gauge(
    'Connections to upstreams. Upstreams with one endpoint share them: each is with the one that used it last.',
    'upstream',
    'state',
  ),
  fluxgate_upstream_connects_total: counter(
    'Attempts to connect to an upstream, by what came of them: ok, or the code of the failure.',
    'upstream',
    'result',
  ),
  fluxgate_upstream_connect_seconds: histogram(
    'From the wish for a new connection to having it, with looking up its name and the TLS handshake.',
    CONNECT_SECONDS,
    'upstream',
  ),
  fluxgate_client_connections: gauge(
    'Connections of clients. busy: with an exchange, or a request that is coming in.',
    'state',
  ),
  fluxgate_client_connections_accepted_total: counter('Connections of clients that were accepted.'),
  fluxgate_client_connections_refused_total: counter('Connections past server.max_connections.'),
  fluxgate_client_connections_limit: gauge('server.max_connections.'),
  fluxgate_usage_total: counter(
    'Requests whose usage was looked at, by how sure it is: exact, partial, estimated, none (nothing was used) or unknown.',
    'upstream',
    'api_key',
    'usage',
  ),
  fluxgate_usage_unknown_total: counter(
    'Responses whose usage could not be read, or not to the end, by the reason.',
    'reason',
  ),
  fluxgate_tokens_total: counter(
    'Tokens. input and output are totals; cached and cache_write are parts of the input, reasoning is one of the output. model: past 1000 of them, other.',
    'upstream',
    'model',
    'api_key',
    'kind',
  ),
  fluxgate_cost_usd_total: counter(
    'Cost in US dollars, where the provider says it or a price is known; see also fluxgate_usage_total.',
    'upstream',
    'model',
    'api_key',
  ),
  fluxgate_time_to_first_token_seconds: histogram(
    'From a request to the first event of a stream that has content.',
    EXCHANGE_SECONDS,
    'upstream',
    'model',
  ),
  fluxgate_output_tokens_per_second: histogram(
    'Output tokens of a stream, by the time from its first content to its end.',
    TOKENS_PER_SECOND,
    'upstream',
    'model',
  ),
  fluxgate_ledger_rows: gauge(
    'Rows of the ledger in this process: accepted = written + queued + spilled + dropped.',
    'state',
  ),
  fluxgate_config_reloads_total: counter('Reloads of the configuration: applied, invalid, or unreadable.', 'result'),
  fluxgate_config_generation: gauge(
    'Number of the configuration that is in force: one more with each that was applied.',
  ),
  fluxgate_config_loaded_timestamp_seconds: gauge('When the configuration in force was loaded.'),
  fluxgate_config_valid: gauge(
    '0 while the file holds something else than what is in force, because it is broken or unreadable.',
  ),
  fluxgate_log_records_total: counter('Request records that the log was given, those that it dropped included.'),
  fluxgate_log_records_dropped_total: counter(
    'Request records that the log left out, because nobody took them in time.',
  ),
  fluxgate_workers: gauge('Threads that serve.'),
  fluxgate_worker_restarts_total: counter('Workers that died and were replaced.'),
  fluxgate_event_loop_delay_seconds: gauge(
    'How late the event loop of a thread is: 99th percentile since the scrape before. Worker 0 is the main thread.',
    'worker',
  ),
  fluxgate_build_info: gauge('1, with the versions of the gateway and of Node.', 'version', 'node'),

  // For the view of the last minute.
  inner_outcomes: inner(counter('', 'upstream', 'outcome')),
  inner_failures: inner(counter('', 'upstream', 'code')),
  inner_keys: inner(counter('', 'api_key', 'kind')),
  inner_streams: inner(gauge('', 'upstream')),
} as const satisfies Readonly<Record<string, FamilyKind>>

export type FamilyName = keyof typeof FAMILIES

/** Doubles that one series takes: a number, or the counts of all buckets and the sum. */
export function widthOf({ bounds }: FamilyKind): number {
  return bounds === undefined ? 1 : bounds.length + 2
}
