/** `/status`: what is, and what the last minute has brought. Each family is gone through once. */
import type { Percentiles, Status, UpstreamStatus } from '../admin/status.ts'
import { type Collected, labelOf, totalOf } from '../metrics/collected.ts'
import type { FamilyName } from '../metrics/families.ts'
import type { History } from '../metrics/history.ts'
import type { AdminSourcesOptions } from './admin-sources.ts'

const NOTHING: Percentiles = { p50: null, p95: null }

export function statusOf(options: AdminSourcesOptions, history: History, version: string): Status {
  const { gateway, configuration, notReady } = options
  const { workers, workerRestarts, clients, generation } = gateway.facts()
  const overhead = history.percentiles('fluxgate_gateway_overhead_seconds', 'phase')
  const keys = [...history.counts('inner_keys', 'api_key', 'kind')]
  return {
    version,
    node: process.versions.node,
    pid: process.pid,
    uptime_seconds: Math.round(process.uptime() * 1000) / 1000,
    workers,
    worker_restarts: workerRestarts,
    ready: notReady().length === 0,
    not_ready: notReady(),
    configuration: {
      path: configuration.path,
      generation,
      loaded_at: new Date(configuration.loadedAtMs).toISOString(),
      valid: configuration.isValid,
      last_result: configuration.lastResult,
      error: configuration.error ?? null,
    },
    listeners: options.listeners(),
    clients: { idle: clients.idle, busy: clients.busy, limit: clients.limit },
    window_seconds: Math.round(history.seconds * 1000) / 1000,
    overhead: { request: overhead.get('request') ?? NOTHING, response: overhead.get('response') ?? NOTHING },
    upstreams: upstreamsOf(options, history),
    api_keys: Object.fromEntries(keys.map(([key, { requests = 0, errors = 0 }]) => [key, { requests, errors }])),
  }
}

function upstreamsOf({ gateway, snapshot }: AdminSourcesOptions, history: History): Record<string, UpstreamStatus> {
  const { collected } = gateway
  const inFlight = now(collected, 'fluxgate_exchanges_in_flight')
  const streams = now(collected, 'inner_streams')
  const outcomes = history.counts('inner_outcomes', 'upstream', 'outcome')
  const errors = history.counts('inner_failures', 'upstream', 'code')
  const connects = history.counts('fluxgate_upstream_connects_total', 'upstream', 'result')
  const firstBytes = history.percentiles('fluxgate_time_to_first_byte_seconds', 'upstream')
  const connections = new Map<string, Record<'idle' | 'busy' | 'connecting', number>>()
  for (const row of collected.rows('fluxgate_upstream_connections')) {
    const counts = connections.get(labelOf(row, 'upstream')) ?? { idle: 0, busy: 0, connecting: 0 }
    counts[labelOf(row, 'state') as keyof typeof counts] = totalOf(row)
    connections.set(labelOf(row, 'upstream'), counts)
  }
  // Requests that had no upstream stand under the empty name.
  const names = new Set([...snapshot().upstreams.map(({ name }) => name), ...inFlight.keys(), ...outcomes.keys()])
  return Object.fromEntries(
    [...names].map((name) => {
      const ended = outcomes.get(name) ?? {}
      return [
        name,
        {
          in_flight: inFlight.get(name) ?? 0,
          streams: streams.get(name) ?? 0,
          requests: Object.values(ended).reduce((sum, count) => sum + count, 0),
          outcomes: ended,
          errors: errors.get(name) ?? {},
          connections: connections.get(name) ?? { idle: 0, busy: 0, connecting: 0 },
          connects: connects.get(name) ?? {},
          time_to_first_byte: firstBytes.get(name) ?? NOTHING,
        },
      ]
    }),
  )
}

/** What is, by upstream. */
function now(collected: Collected, family: FamilyName): Map<string, number> {
  return new Map([...collected.rows(family)].map((row) => [labelOf(row, 'upstream'), totalOf(row)]))
}
