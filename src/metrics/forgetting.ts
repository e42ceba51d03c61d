/** Series of what the configuration does not name any more go away, so that keys and upstreams may come and go for years. */
import type { Snapshot } from '../config/snapshot.ts'
import { type Collected, labelOf, type Row, totalOf } from './collected.ts'
import { FAMILIES, type FamilyName } from './families.ts'

/** What was counted last has been scraped by then, whoever scrapes. */
const STAYS_MS = 3_600_000
const LOOK_MS = 60_000

type Label = 'upstream' | 'api_key'

/** `forget` is called for each value of a label that is gone, when no series of it is left. */
export function createForgetting(
  collected: Collected,
  forget: (label: Label, value: string) => void,
  nowMs: () => number = () => performance.now(),
) {
  let timer: NodeJS.Timeout | undefined
  let latest: Snapshot | undefined

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
    const gone: Record<Label, Set<string>> = { upstream: new Set(), api_key: new Set() }
    for (const family of Object.keys(FAMILIES) as FamilyName[]) {
      for (const row of [...collected.rows(family)]) {
        const label = goneLabel(row, named)
        if (label === undefined) row.goneSinceMs = undefined
        else if (running.has(labelOf(row, 'upstream')) || now - (row.goneSinceMs ??= now) < STAYS_MS) isWaiting = true
        else {
          collected.drop(row)
          gone[label].add(labelOf(row, label))
        }
      }
    }
    for (const label of ['upstream', 'api_key'] as const) for (const value of gone[label]) forget(label, value)
    return isWaiting
  }

  function lookLater(): void {
    if (timer !== undefined) return
    timer = setTimeout(() => {
      timer = undefined
      if (look()) lookLater()
    }, LOOK_MS).unref()
  }

  return {
    publish(snapshot: Snapshot): void {
      latest = snapshot
      lookLater()
    },
    look,
    /** Nothing is forgotten any more. */
    close(): void {
      clearTimeout(timer)
      latest = undefined
    },
  }
}

function goneLabel(row: Row, named: Readonly<Record<Label, ReadonlySet<string>>>): Label | undefined {
  if (!named.upstream.has(labelOf(row, 'upstream'))) return 'upstream'
  return named.api_key.has(labelOf(row, 'api_key')) ? undefined : 'api_key'
}
