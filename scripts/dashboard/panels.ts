/** The panels of the dashboard, in rows. Queries take the variables `job`, `instance` and `upstream`. */

export interface Panel {
  readonly title: string
  readonly description: string
  /** Default: a time series. */
  readonly kind?: 'stat'
  /** As Grafana calls it. */
  readonly unit: 'short' | 'reqps' | 'percentunit' | 's' | 'bytes' | 'Bps' | 'currencyUSD' | 'dateTimeFromNow'
  readonly max?: number
  readonly isStacked?: true
  /** From which value on which colour. */
  readonly thresholds?: readonly (readonly [value: number | null, colour: string])[]
  readonly queries: readonly (readonly [expr: string, legend: string])[]
}

export interface Row {
  readonly title: string
  readonly height: number
  readonly panels: readonly Panel[]
}

const GATEWAY = 'job=~"$job",instance=~"$instance"'
const UPSTREAM = `${GATEWAY},upstream=~"$upstream"`
const rate = (series: string): string => `rate(${series}[$__rate_interval])`

function quantile(q: number, family: string, labels: string, by: string): string {
  return `histogram_quantile(${q}, sum by (${by}, le) (${rate(`${family}_bucket{${labels}}`)}))`
}

const GOOD_AT_ZERO = [
  [null, 'green'],
  [1, 'red'],
] as const

export const ROWS: readonly Row[] = [
  {
    title: 'Now',
    height: 4,
    panels: [
      {
        title: 'Gateways up',
        description: 'Processes that answer their scrape.',
        kind: 'stat',
        unit: 'short',
        queries: [['sum(up{job=~"$job"})', '']],
      },
      {
        title: 'Requests',
        description: 'Requests that ended, a second.',
        kind: 'stat',
        unit: 'reqps',
        queries: [[`sum(${rate(`fluxgate_requests_total{${UPSTREAM}}`)})`, '']],
      },
      {
        title: 'In flight',
        description: 'Exchanges that have an upstream and are not over; streams among them.',
        kind: 'stat',
        unit: 'short',
        queries: [[`sum(fluxgate_exchanges_in_flight{${UPSTREAM}})`, '']],
      },
      {
        title: 'Failures',
        description: 'Share of requests that an upstream or one of the clocks has failed.',
        kind: 'stat',
        unit: 'percentunit',
        thresholds: [
          [null, 'green'],
          [0.01, 'orange'],
          [0.05, 'red'],
        ],
        queries: [
          [
            `sum(${rate(`fluxgate_requests_total{${UPSTREAM},outcome=~"upstream_abort|timeout"}`)}) / sum(${rate(`fluxgate_requests_total{${UPSTREAM}}`)})`,
            '',
          ],
        ],
      },
      {
        title: 'Configurations ignored',
        description: 'Gateways whose file holds something else than what is in force.',
        kind: 'stat',
        unit: 'short',
        thresholds: GOOD_AT_ZERO,
        queries: [[`count(fluxgate_config_valid{${GATEWAY}} == 0) or vector(0)`, '']],
      },
      {
        title: 'Overhead, p99',
        description: 'What the gateway itself adds to a request, connecting left out.',
        kind: 'stat',
        unit: 's',
        thresholds: [
          [null, 'green'],
          [0.01, 'orange'],
          [0.025, 'red'],
        ],
        queries: [[quantile(0.99, 'fluxgate_gateway_overhead_seconds', `${GATEWAY},phase="request"`, 'phase'), '']],
      },
    ],
  },
  {
    title: 'Traffic',
    height: 8,
    panels: [
      {
        title: 'Requests by upstream',
        description: 'Empty: refused before an upstream was known, such as a 401.',
        unit: 'reqps',
        isStacked: true,
        queries: [[`sum by (upstream) (${rate(`fluxgate_requests_total{${UPSTREAM}}`)})`, '{{upstream}}']],
      },
      {
        title: 'Requests by key',
        description: 'The ids of the gateway keys.',
        unit: 'reqps',
        isStacked: true,
        queries: [[`topk(15, sum by (api_key) (${rate(`fluxgate_requests_total{${UPSTREAM}}`)}))`, '{{api_key}}']],
      },
      {
        title: 'In flight by upstream',
        description: 'Exchanges that have an upstream and are not over.',
        unit: 'short',
        isStacked: true,
        queries: [[`sum by (upstream) (fluxgate_exchanges_in_flight{${UPSTREAM}})`, '{{upstream}}']],
      },
    ],
  },
  {
    title: 'Failures, by cause',
    height: 8,
    panels: [
      {
        title: 'Outcomes other than complete',
        description: "client_abort is a client that left. A provider's own 4xx and 5xx are complete.",
        unit: 'reqps',
        queries: [
          [
            `sum by (upstream, outcome) (${rate(`fluxgate_requests_total{${UPSTREAM},outcome!="complete"}`)})`,
            '{{upstream}} {{outcome}}',
          ],
        ],
      },
      {
        title: 'Answers of the gateway itself',
        description: 'By the code in x-fluxgate-error.',
        unit: 'reqps',
        queries: [[`sum by (code) (${rate(`fluxgate_refusals_total{${GATEWAY}}`)})`, '{{code}}']],
      },
      {
        title: "Providers' errors",
        description: '429 is the limit of your account, 529 a provider that has too much to do.',
        unit: 'reqps',
        queries: [
          [
            `sum by (upstream, code) (${rate(`fluxgate_upstream_responses_total{${UPSTREAM},code=~"4..|5.."}`)})`,
            '{{upstream}} {{code}}',
          ],
        ],
      },
    ],
  },
  {
    title: 'Time',
    height: 8,
    panels: [
      {
        title: 'Time to first byte',
        description: "From a request to the head of the upstream's response: the provider's time, for the most part.",
        unit: 's',
        queries: [
          [quantile(0.5, 'fluxgate_time_to_first_byte_seconds', UPSTREAM, 'upstream'), '{{upstream}} p50'],
          [quantile(0.95, 'fluxgate_time_to_first_byte_seconds', UPSTREAM, 'upstream'), '{{upstream}} p95'],
        ],
      },
      {
        title: 'Duration',
        description: 'From the first byte of a request to the last one of its response.',
        unit: 's',
        queries: [
          [quantile(0.5, 'fluxgate_request_duration_seconds', UPSTREAM, 'upstream'), '{{upstream}} p50'],
          [quantile(0.95, 'fluxgate_request_duration_seconds', UPSTREAM, 'upstream'), '{{upstream}} p95'],
        ],
      },
      {
        title: 'What the gateway adds',
        description:
          'request: from a head to the socket of the upstream. response: from its first byte to the socket of the client.',
        unit: 's',
        queries: [
          [quantile(0.5, 'fluxgate_gateway_overhead_seconds', GATEWAY, 'phase'), '{{phase}} p50'],
          [quantile(0.99, 'fluxgate_gateway_overhead_seconds', GATEWAY, 'phase'), '{{phase}} p99'],
        ],
      },
    ],
  },
  {
    title: 'Connections',
    height: 8,
    panels: [
      {
        title: 'Of clients',
        description: 'At the limit new clients get 503; idle connections make room before that.',
        unit: 'short',
        queries: [
          [`sum by (state) (fluxgate_client_connections{${GATEWAY}})`, '{{state}}'],
          [`sum(fluxgate_client_connections_limit{${GATEWAY}})`, 'limit'],
          [`sum(${rate(`fluxgate_client_connections_accepted_total{${GATEWAY}}`)})`, 'accepted a second'],
          [`sum(${rate(`fluxgate_client_connections_refused_total{${GATEWAY}}`)})`, 'refused a second'],
        ],
      },
      {
        title: 'To upstreams',
        description: 'Idle ones are kept for the next request.',
        unit: 'short',
        queries: [[`sum by (upstream, state) (fluxgate_upstream_connections{${UPSTREAM}})`, '{{upstream}} {{state}}']],
      },
      {
        title: 'Connecting',
        description:
          'Attempts a second by what came of them, requests sent a second time, and the time that connecting takes.',
        unit: 'short',
        queries: [
          [
            `sum by (upstream, result) (${rate(`fluxgate_upstream_connects_total{${UPSTREAM}}`)})`,
            '{{upstream}} {{result}}',
          ],
          [`sum by (upstream) (${rate(`fluxgate_retries_total{${UPSTREAM}}`)})`, '{{upstream}} retries'],
          [quantile(0.95, 'fluxgate_upstream_connect_seconds', UPSTREAM, 'upstream'), '{{upstream}} p95, seconds'],
        ],
      },
    ],
  },
  {
    title: 'Tokens and cost',
    height: 8,
    panels: [
      {
        title: 'Tokens a second',
        description: 'cached and cache_write are parts of input, reasoning is a part of output.',
        unit: 'short',
        queries: [[`sum by (upstream, kind) (${rate(`fluxgate_tokens_total{${UPSTREAM}}`)})`, '{{upstream}} {{kind}}']],
      },
      {
        title: 'Cost an hour, by model',
        description: "By the provider's own figure, or the table of prices.",
        unit: 'currencyUSD',
        isStacked: true,
        queries: [[`topk(15, 3600 * sum by (model) (${rate(`fluxgate_cost_usd_total{${UPSTREAM}}`)}))`, '{{model}}']],
      },
      {
        title: 'Time to first token, p95',
        description: 'To the first event that has content.',
        unit: 's',
        queries: [[quantile(0.95, 'fluxgate_time_to_first_token_seconds', UPSTREAM, 'upstream, model'), '{{model}}']],
      },
      {
        title: 'How sure the counts are',
        description: 'exact: as the provider said at the end. unknown: the gateway gave up on reading the answer.',
        unit: 'reqps',
        isStacked: true,
        queries: [[`sum by (usage) (${rate(`fluxgate_usage_total{${UPSTREAM}}`)})`, '{{usage}}']],
      },
    ],
  },
  {
    title: 'The process',
    height: 8,
    panels: [
      {
        title: 'CPU',
        description: 'Cores in use. With workers: N it can be N and a little more.',
        unit: 'short',
        queries: [
          [rate(`process_cpu_seconds_total{${GATEWAY}}`), '{{instance}}'],
          [`fluxgate_workers{${GATEWAY}}`, '{{instance}} workers'],
        ],
      },
      {
        title: 'Memory',
        description: 'Resident. It depends on connections, not on the size of what is relayed.',
        unit: 'bytes',
        queries: [[`process_resident_memory_bytes{${GATEWAY}}`, '{{instance}}']],
      },
      {
        title: 'Lateness of the event loops, p99',
        description: 'Since the scrape before. Worker 0 is the main thread.',
        unit: 's',
        queries: [[`fluxgate_event_loop_delay_seconds{${GATEWAY}}`, '{{instance}} {{worker}}']],
      },
      {
        title: 'Bytes',
        description: 'Content that was relayed, counted when its exchange ended.',
        unit: 'Bps',
        queries: [
          [`sum(${rate(`fluxgate_request_body_bytes_total{${UPSTREAM}}`)})`, 'requests'],
          [`sum(${rate(`fluxgate_response_body_bytes_total{${UPSTREAM}}`)})`, 'responses'],
        ],
      },
    ],
  },
  {
    title: 'What should be zero',
    height: 7,
    panels: [
      {
        title: 'Log records dropped',
        description: 'Nobody took them from standard output in time.',
        unit: 'short',
        queries: [[`increase(fluxgate_log_records_dropped_total{${GATEWAY}}[$__rate_interval])`, '{{instance}}']],
      },
      {
        title: 'Workers died',
        description: 'A bug, or no memory left.',
        unit: 'short',
        queries: [[`increase(fluxgate_worker_restarts_total{${GATEWAY}}[$__rate_interval])`, '{{instance}}']],
      },
      {
        title: 'Reloads that were refused',
        description: 'The settings of before stay in force.',
        unit: 'short',
        queries: [
          [
            `sum by (instance, result) (increase(fluxgate_config_reloads_total{${GATEWAY},result!="applied"}[$__rate_interval]))`,
            '{{instance}} {{result}}',
          ],
        ],
      },
      {
        title: 'Descriptors in use',
        description: 'Share of what the process may open.',
        unit: 'percentunit',
        max: 1,
        queries: [[`process_open_fds{${GATEWAY}} / process_max_fds{${GATEWAY}}`, '{{instance}}']],
      },
    ],
  },
]
