/** A writer with a clock of its own, and what it counts and tells. */
import assert from 'node:assert/strict'
import { createCounts, inMemoryOf, ledgerCounts, readCounts, writerCounts } from '../../src/ledger/counts.ts'
import type { Row } from '../../src/ledger/row.ts'
import { openSpill } from '../../src/ledger/spill.ts'
import type { Store } from '../../src/ledger/store.ts'
import { LedgerWriter, type WriterClock } from '../../src/ledger/writer.ts'
import { sampleRow } from './ledger-rows.ts'

/** Time goes on when it is told to. */
export function handClock() {
  let now = 0
  const timers = new Set<{ at: number; run: () => void }>()
  const clock: WriterClock = {
    now: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
  }
  /** Lets what was promised happen in between. */
  async function pass(ms: number): Promise<void> {
    const end = now + ms
    for (;;) {
      for (let i = 0; i < 20; i++) await Promise.resolve()
      const [next] = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)
      if (next === undefined) break
      timers.delete(next)
      now = Math.max(now, next.at)
      next.run()
    }
    now = end
  }
  return { clock, pass }
}

export function storeOf(write: (rows: readonly Row[]) => Promise<void>): Store {
  const refuses = (error: unknown): boolean => (error as Error).message === 'refused'
  return { write, refuses, prune: async () => false, close: async () => {} }
}

export function setUpWriter(store: Store, spillPath?: string, spillBytes = 1e6) {
  const shared = createCounts()
  const memory = inMemoryOf(shared)
  memory.limit(1000)
  const offered = writerCounts(shared, 0)
  const { clock, pass } = handClock()
  const told: string[] = []
  const writer = new LedgerWriter({
    store,
    spill: spillPath === undefined ? undefined : openSpill(spillPath, spillBytes),
    counts: ledgerCounts(shared),
    memory,
    clock,
    listener: {
      onFailing: (error) => void told.push(`failing: ${(error as Error).message}`),
      onRecovered: () => void told.push('recovered'),
      onSpillFailing: () => void told.push('spill failing'),
      onSpillFull: () => void told.push('spill full'),
      onRefused: (_, rows) => void told.push(`refused ${rows}`),
      onSpillTouched: ({ lost, isNew }) => void told.push(isNew ? 'spill recreated' : `spill lost ${lost}`),
    },
  })
  let answers = 0
  const take = (count: number, rowOf: (index: number) => Row = () => sampleRow()): void => {
    const rows = Array.from({ length: count }, (_, index) => rowOf(index))
    for (const _ of rows) {
      offered.accepted()
      assert.ok(memory.take())
    }
    writer.take(rows, () => void answers++)
  }
  return { writer, take, pass, told, counts: () => readCounts(shared), answers: () => answers }
}
