/** What `fluxgate top` shows of a status: lines of text, as wide as they get. */
import type { Percentiles, Status, UpstreamStatus } from '../../admin/status.ts'

type Row = readonly string[]

export function render(status: Status): string[] {
  return [...header(status), '', ...table(UPSTREAM_HEAD, upstreamRows(status)), '', ...table(KEY_HEAD, keyRows(status))]
}

/** One line for a whole status, where nobody looks at a screen. */
export function summarize(status: Status, time: string): string {
  const upstreams = Object.values(status.upstreams)
  const sum = (value: (upstream: UpstreamStatus) => number): number =>
    upstreams.reduce((all, each) => all + value(each), 0)
  const errors = sum(({ errors }) => total(errors))
  const { overhead, clients } = status
  return [
    time,
    `requests/s=${rate(
      sum(({ requests }) => requests),
      status,
    )}`,
    `in_flight=${sum(({ in_flight }) => in_flight)}`,
    `streams=${sum(({ streams }) => streams)}`,
    `errors/s=${rate(errors, status)}`,
    `clients=${clients.busy + clients.idle}`,
    `overhead_p95=${duration(overhead.request.p95)}`,
    status.ready ? 'ready' : `not_ready="${status.not_ready.join(', ')}"`,
  ].join(' ')
}

function header(status: Status): string[] {
  const { version, node, pid, workers, worker_restarts, uptime_seconds, configuration, clients, overhead } = status
  const restarts = worker_restarts > 0 ? `, ${worker_restarts} replaced` : ''
  const state = status.ready ? 'ready' : status.not_ready.join(', ')
  const { path, generation, loaded_at, valid, error } = configuration
  return [
    `fluxgate ${version} (Node ${node}), pid ${pid}, up ${span(uptime_seconds)}, ${workers} worker${workers === 1 ? '' : 's'}${restarts}: ${state}`,
    `listening on ${status.listeners.server}; ${clients.busy} clients busy, ${clients.idle} idle, of ${clients.limit}`,
    `configuration ${path}, number ${generation}, loaded ${loaded_at}${valid ? '' : `; NOT IN FORCE: ${error}`}`,
    `overhead of the gateway: request ${pair(overhead.request)}, response ${pair(overhead.response)} (p50, p95); figures of the last ${Math.round(status.window_seconds)} s`,
  ]
}

const UPSTREAM_HEAD: Row = [
  'UPSTREAM',
  'REQ/S',
  'FLIGHT',
  'STREAMS',
  'TTFB P50',
  'P95',
  'IDLE',
  'BUSY',
  'DIAL',
  'ERR/S',
  'ERRORS',
]
const KEY_HEAD: Row = ['KEY', 'REQ/S', 'ERR/S']

function upstreamRows(status: Status): Row[] {
  return Object.entries(status.upstreams).map(([name, upstream]) => {
    const { requests, in_flight, streams, time_to_first_byte: first, connections, errors } = upstream
    return [
      name === '' ? '(none)' : name,
      rate(requests, status),
      String(in_flight),
      String(streams),
      duration(first.p50),
      duration(first.p95),
      String(connections.idle),
      String(connections.busy),
      String(connections.connecting),
      rate(total(errors), status),
      most(errors),
    ]
  })
}

function keyRows(status: Status): Row[] {
  return Object.entries(status.api_keys)
    .sort(([, a], [, b]) => b.requests - a.requests)
    .map(([key, { requests, errors }]) => [key === '' ? '(none)' : key, rate(requests, status), rate(errors, status)])
}

/** The first and the last column are text, the others are numbers. */
function table(head: Row, rows: readonly Row[]): string[] {
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  const isText = (column: number): boolean => column === 0 || head[column] === 'ERRORS'
  return all.map((row) =>
    row
      .map((cell, column) => (isText(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  )
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}

/** The most frequent ones first. */
function most(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([code, count]) => `${code} ${count}`)
    .join(', ')
}

function rate(count: number, { window_seconds }: Status): string {
  const perSecond = window_seconds > 0 ? count / window_seconds : 0
  return perSecond >= 100 || perSecond === 0 ? perSecond.toFixed(0) : perSecond.toFixed(1)
}

function pair({ p50, p95 }: Percentiles): string {
  return `${duration(p50)}, ${duration(p95)}`
}

function duration(seconds: number | null): string {
  if (seconds === null) return '-'
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)}µs`
  return seconds < 1 ? `${(seconds * 1000).toFixed(seconds < 0.1 ? 1 : 0)}ms` : `${seconds.toFixed(1)}s`
}

function span(seconds: number): string {
  const minutes = Math.floor(seconds / 60)
  if (minutes < 1) return `${Math.floor(seconds)}s`
  if (minutes < 60) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours}h${String(minutes % 60).padStart(2, '0')}m` : `${Math.floor(hours / 24)}d`
}
