/** The families of the gateway as somebody reads them: what the threads have counted, and what the main thread knows by itself. */
import { type Collected, type Row, totalOf } from './collected.ts'
import type { Family, Sample } from './exposition.ts'
import { FAMILIES, type FamilyKind, type FamilyName } from './families.ts'

/** What the main thread knows without counting. */
export interface Facts {
  readonly workers: number
  readonly workerRestarts: number
  readonly clients: {
    readonly accepted: number
    readonly refused: number
    readonly busy: number
    readonly idle: number
    readonly limit: number
  }
  readonly records: { readonly written: number; readonly dropped: number }
  readonly generation: number
  /** What has become of its rows, by their state; undefined: there is no ledger. */
  readonly ledger: Readonly<Record<'accepted' | 'written' | 'queued' | 'spilled' | 'dropped', number>> | undefined
}

type Samples = readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[]

/** `more`: of families that somebody else knows about. */
export function* gatewayFamilies(
  collected: Collected,
  { workers, workerRestarts, clients, records, generation, ledger }: Facts,
  more: Partial<Record<FamilyName, Samples>>,
): Generator<Family> {
  const known: Partial<Record<FamilyName, Samples | undefined>> = {
    fluxgate_client_connections: [
      [{ state: 'idle' }, clients.idle],
      [{ state: 'busy' }, clients.busy],
    ],
    fluxgate_client_connections_accepted_total: [[{}, clients.accepted]],
    fluxgate_client_connections_refused_total: [[{}, clients.refused]],
    fluxgate_client_connections_limit: [[{}, clients.limit]],
    fluxgate_config_generation: [[{}, generation]],
    fluxgate_log_records_total: [[{}, records.written]],
    fluxgate_log_records_dropped_total: [[{}, records.dropped]],
    fluxgate_workers: [[{}, workers]],
    fluxgate_worker_restarts_total: [[{}, workerRestarts]],
    fluxgate_ledger_rows: ledger && Object.entries(ledger).map(([state, rows]) => [{ state }, rows] as const),
    ...more,
  }
  for (const name of Object.keys(FAMILIES) as FamilyName[]) {
    const { type, help, isInner }: FamilyKind = FAMILIES[name]
    if (isInner) continue
    const samples = known[name]
    yield { name, type, help, samples: samples === undefined ? countedSamples(collected, name) : given(samples) }
  }
}

function* given(samples: Samples): Generator<Sample> {
  for (const [labels, value] of samples) yield { labels, value }
}

function* countedSamples(collected: Collected, name: FamilyName): Generator<Sample> {
  const kind: FamilyKind = FAMILIES[name]
  for (const row of collected.rows(name)) {
    // What is, with nobody left of whom it is said.
    if (kind.type === 'gauge' && row.parts.length === 0) continue
    if (kind.bounds === undefined) yield { labels: shownLabels(row, kind)[0]!, value: totalOf(row) }
    else yield* buckets(row, kind, kind.bounds)
  }
}

/** Counts of all values up to each bound, as Prometheus has them. */
function* buckets(row: Row, kind: FamilyKind, bounds: readonly number[]): Generator<Sample> {
  const labels = shownLabels(row, kind)
  let count = 0
  for (let at = 0; at <= bounds.length; at++) {
    count += totalOf(row, at)
    yield { suffix: '_bucket', labels: labels[at + 1]!, value: count }
  }
  yield { suffix: '_sum', labels: labels[0]!, value: totalOf(row, bounds.length + 1) }
  yield { suffix: '_count', labels: labels[0]!, value: count }
}

/** The labels of a series, and behind them those of its buckets: made once, so that their text is too. */
const shown = new WeakMap<Row, readonly Readonly<Record<string, string>>[]>()

function shownLabels(row: Row, { labels, bounds }: FamilyKind): readonly Readonly<Record<string, string>>[] {
  let found = shown.get(row)
  if (found === undefined) {
    const own = Object.fromEntries(labels.map((label, at) => [label, row.labels[at]!]))
    const les = bounds === undefined ? [] : [...bounds.map(String), '+Inf']
    found = [own, ...les.map((le) => ({ ...own, le }))]
    shown.set(row, found)
  }
  return found
}
