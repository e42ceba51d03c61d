/** Series of what the configuration does not name any more go away, so that keys and upstreams may come and go for years. */
import type { Snapshot } from '../config/snapshot.ts'
import { type Collected, labelOf, type Row, totalOf } from './collected.ts'
import { FAMILIES, type FamilyName } from './families.ts'

/** What was counted last has been scraped by then, whoever scrapes. */
const STAYS_MS = 3_600_000
const LOOK_MS = 60_000

type Label = 'upstream' | 'api_key'

/** `forget` is called with the values of a label that are gone, all at once: a reload may take away thousands of keys. */
export function createForgetting(
  collected: Collected,
  forget: (label: Label, values: readonly string[]) => void,
  nowMs: () => number = () => performance.now(),
) {
  let planned: NodeJS.Timeout | undefined
  let isSoon = false
  /** Of keys that are gone: how much was counted at the last look. Nobody knows which exchanges a key has; one that ends counts. */
  const counts = new WeakMap<Row, number>()
  let latest: Snapshot | undefined

  function hasChanged(row: Row): boolean {
    const [before, count] = [counts.get(row), totalOf(row)]
    counts.set(row, count)
    return before !== undefined && before !== count
  }

  /** Looks at all series; true while there are some that wait for their end. */
  function look(): boolean {
    if (latest === undefined) return false
    const named: Readonly<Record<Label, ReadonlySet<string>>> = {
      upstream: new Set(['', ...latest.upstreams.map(({ name }) => name)]),
      api_key: new Set(['', ...latest.keyNames()]),
    }
    const now = nowMs()
    const running = new Set<string>()
    for (const row of collected.rows('fluxgate_exchanges_in_flight')) {
      if (totalOf(row) !== 0) running.add(labelOf(row, 'upstream'))
    }
    let isWaiting = false
    const dropped: Row[] = []
    const gone: Record<Label, Set<string>> = { upstream: new Set(), api_key: new Set() }
    for (const family of Object.keys(FAMILIES) as FamilyName[]) {
      for (const row of collected.rows(family)) {
        const label = goneLabel(row, named)
        if (label === undefined) {
          row.goneSinceMs = undefined
          continue
        }
        // What an exchange counts at its end is to be scraped as well: the hour begins behind that.
        if (label === 'upstream' ? running.has(labelOf(row, 'upstream')) : hasChanged(row)) row.goneSinceMs = undefined
        if (now - (row.goneSinceMs ??= now) < STAYS_MS) isWaiting = true
        else {
          dropped.push(row)
          gone[label].add(labelOf(row, label))
        }
      }
    }
    if (dropped.length > 0) collected.drop(dropped)
    for (const label of ['upstream', 'api_key'] as const) if (gone[label].size > 0) forget(label, [...gone[label]])
    return isWaiting
  }

  /** Also where nothing waits: what was removed may be counted later, by an exchange that still runs. */
  function lookIn(ms: number): void {
    clearTimeout(planned)
    isSoon = ms === LOOK_MS
    planned = setTimeout(() => lookIn(look() ? LOOK_MS : STAYS_MS), ms).unref()
  }

  return {
    publish(snapshot: Snapshot): void {
      latest = snapshot
      if (!isSoon) lookIn(LOOK_MS)
    },
    look,
    /** Nothing is forgotten any more. */
    close(): void {
      clearTimeout(planned)
      latest = undefined
    },
  }
}

function goneLabel(row: Row, named: Readonly<Record<Label, ReadonlySet<string>>>): Label | undefined {
  if (!named.upstream.has(labelOf(row, 'upstream'))) return 'upstream'
  return named.api_key.has(labelOf(row, 'api_key')) ? undefined : 'api_key'
}
