import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { Collected, labelOf, totalOf } from '../../../src/metrics/collected.ts'
import { FAMILIES, type FamilyName, widthOf } from '../../../src/metrics/families.ts'
import { add, observe, type PageMemory, Series, set } from '../../../src/metrics/series.ts'

function joined(collected: Collected): { readonly series: Series; readonly leave: () => void } {
  const pages = collected.join()
  return { series: new Series((memory) => pages.take(memory)), leave: () => collected.leave(pages) }
}

/** Values by their labels. */
function values(collected: Collected, family: FamilyName): Record<string, number> {
  return Object.fromEntries([...collected.rows(family)].map((row) => [row.labels.join(), totalOf(row)]))
}

test('what two threads count is summed, and a series of one of them stands for itself', () => {
  const collected = new Collected()
  const [one, two] = [joined(collected), joined(collected)]
  add(one.series.of('fluxgate_retries_total', 'a'), 2)
  add(two.series.of('fluxgate_retries_total', 'a'), 3)
  add(two.series.of('fluxgate_retries_total', 'b'), 7)
  assert.deepEqual(values(collected, 'fluxgate_retries_total'), { a: 5, b: 7 })
  add(one.series.of('fluxgate_retries_total', 'a'), 1)
  assert.deepEqual(values(collected, 'fluxgate_retries_total'), { a: 6, b: 7 })
})

test('labels may be of any text', () => {
  const collected = new Collected()
  const { series } = joined(collected)
  const names = ['', 'ä"\\\n,', 'x'.repeat(300_000), '[]']
  for (const name of names) add(series.of('fluxgate_retries_total', name), 1)
  const rows = [...collected.rows('fluxgate_retries_total')]
  assert.deepEqual(
    rows.map((row) => labelOf(row, 'upstream')),
    names,
  )
  for (const row of rows) assert.equal(totalOf(row), 1)
})

test('of a thread that has ended counters stay, and gauges are gone', () => {
  const collected = new Collected()
  const [one, two] = [joined(collected), joined(collected)]
  for (const { series } of [one, two]) {
    add(series.of('fluxgate_retries_total', 'a'), 2)
    set(series.of('fluxgate_exchanges_in_flight', 'a'), 3)
    observe(series.of('fluxgate_request_duration_seconds', 'a'), FAMILIES.fluxgate_request_duration_seconds.bounds!, 7)
  }
  two.leave()
  two.leave()
  assert.deepEqual(values(collected, 'fluxgate_retries_total'), { a: 4 })
  assert.deepEqual(values(collected, 'fluxgate_exchanges_in_flight'), { a: 3 })
  const [duration] = collected.rows('fluxgate_request_duration_seconds')
  const width = widthOf(FAMILIES.fluxgate_request_duration_seconds)
  const all = Array.from({ length: width }, (_, at) => totalOf(duration!, at))
  assert.equal(all.at(-1), 14)
  assert.equal(
    all.slice(0, -1).reduce((a, b) => a + b),
    2,
  )
})

test('a value belongs to the first bucket that is not below it', () => {
  const collected = new Collected()
  const { series } = joined(collected)
  const bounds = FAMILIES.fluxgate_upstream_connect_seconds.bounds!
  const counted = series.of('fluxgate_upstream_connect_seconds', 'a')
  for (const bound of bounds) observe(counted, bounds, bound)
  observe(counted, bounds, 0)
  observe(counted, bounds, 1e9)
  const [row] = collected.rows('fluxgate_upstream_connect_seconds')
  assert.deepEqual(
    [...bounds, 0].map((_, at) => totalOf(row!, at)),
    [2, ...bounds.slice(1).map(() => 1), 1],
  )
})

test('many series take many pages, and none is lost', () => {
  const collected = new Collected()
  const { series } = joined(collected)
  for (let i = 0; i < 10_000; i++) add(series.of('fluxgate_upstream_responses_total', `upstream-${i}`, '200'), i)
  assert.equal([...collected.rows('fluxgate_upstream_responses_total')].length, 10_000)
  for (const row of collected.rows('fluxgate_upstream_responses_total'))
    assert.equal(`upstream-${totalOf(row)}`, labelOf(row, 'upstream'))
})

test('a page of which every series was dropped is let go of, and a name that comes again counts anew', () => {
  const collected = new Collected()
  const pages = collected.join()
  const series = new Series((memory) => pages.take(memory))
  for (let i = 0; i < 5000; i++) add(series.of('fluxgate_retries_total', `${i}`), 1)
  const before = pages.pages.length
  assert.ok(before >= 3)
  for (const row of [...collected.rows('fluxgate_retries_total')]) {
    collected.drop([row])
    series.forget('upstream', new Set([labelOf(row, 'upstream')]))
  }
  assert.equal(pages.pages.length, 1)
  add(series.of('fluxgate_retries_total', '7'), 2)
  assert.deepEqual(values(collected, 'fluxgate_retries_total'), { 7: 2 })
})

test('a real thread: what it has counted is seen while it runs, and after its death', async () => {
  const collected = new Collected()
  const pages = collected.join()
  const root = new URL('../../../src/metrics/series.ts', import.meta.url)
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads')
     import(${JSON.stringify(root)}).then(({ Series, add }) => {
       const series = new Series((memory) => parentPort.postMessage(memory))
       for (let i = 0; i < 5000; i++) add(series.of('fluxgate_retries_total', String(i % 500)), 1)
       parentPort.postMessage('done')
       parentPort.on('message', () => process.abort)
     })`,
    { eval: true },
  )
  await new Promise<void>((resolve) =>
    worker.on('message', (message: PageMemory | 'done') => (message === 'done' ? resolve() : pages.take(message))),
  )
  const sum = (): number => Object.values(values(collected, 'fluxgate_retries_total')).reduce((a, b) => a + b)
  assert.equal(sum(), 5000)
  const exited = once(worker, 'exit')
  await worker.terminate()
  await exited
  collected.leave(pages)
  assert.equal(sum(), 5000)
})
