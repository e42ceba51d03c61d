import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Logged, Plan, Told } from './threaded-log-writer.ts'

/** Real threads and a real pipe: what one thread with both ends of a ring cannot show. */

const WRITER = fileURLToPath(new URL('threaded-log-writer.ts', import.meta.url))

interface Outcome extends Logged {
  readonly lines: readonly string[]
}

/** Nothing is read before much has been logged. `slowly`: and then with pauses. */
async function run(plan: Plan, slowly: boolean): Promise<Outcome> {
  const child = spawn(process.execPath, [WRITER, JSON.stringify(plan)], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: { PATH: process.env.PATH, FLUXGATE_LOG_FORMAT: 'json' },
  })
  try {
    const hasMost = Promise.withResolvers<void>()
    const told = Promise.withResolvers<Logged>()
    child.on('message', (message: Told) => (message === 'most' ? hasMost.resolve() : told.resolve(message)))
    child.on('exit', (code) => {
      hasMost.reject(new Error(`exit code ${code}`))
      told.reject(new Error(`exit code ${code}`))
    })
    told.promise.catch(() => {})
    const chunks: Buffer[] = []
    await hasMost.promise
    for await (const chunk of child.stdout!) {
      chunks.push(chunk)
      if (slowly && chunks.length % 16 === 0) await wait(1)
    }
    const logged = await told.promise
    const lines = Buffer.concat(chunks).toString().split('\n')
    assert.equal(lines.pop(), '', 'the last line is whole')
    return { ...logged, lines }
  } finally {
    child.kill('SIGKILL')
  }
}

interface Seen {
  /** Of each thread, as they came. */
  readonly numbers: readonly number[][]
  /** The sum of what the log says is missing. */
  readonly missing: number
}

/** Every line is whole, each thread's are in order, and each gap has a line that says so. */
function judge(lines: readonly string[], threads: number): Seen {
  const numbers = Array.from({ length: threads }, (): number[] => [])
  let missing = 0
  /** Of each thread: whether something was said to be missing since its last line. */
  const isTold = Array.from({ length: threads }, () => false)
  for (const line of lines) {
    const parsed = JSON.parse(line)
    if (parsed.message === 'Log records dropped') {
      missing += parsed.count
      isTold.fill(true)
      continue
    }
    const [, id, number] = (parsed.url ?? parsed.request_url).split('/').map(Number)
    const last = numbers[id]!.at(-1) ?? -1
    assert.ok(number > last, `${id}: ${number} came after ${last}`)
    assert.ok(number === last + 1 || isTold[id], `${id}: between ${last} and ${number} nothing is said to be missing`)
    numbers[id]!.push(number)
    isTold[id] = false
  }
  return { numbers, missing }
}

function total(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0)
}

test('50 000 lines of each of four threads come whole and in order, or are counted, through a pipe that is read slowly', async () => {
  const plan: Plan = { threads: 4, lines: 50_000, end: 'done', busyMs: 10 }
  const { lines, sent, dropped, records } = await run(plan, true)
  const { numbers, missing } = judge(lines, plan.threads)
  assert.deepEqual(sent, [50_000, 50_000, 50_000, 50_000])
  const written = total(numbers.map((each) => each.length))
  assert.equal(written + missing, 200_000)
  const writtenRecords = total(numbers.map((each) => each.filter((number) => number % 50 > 0).length))
  assert.equal(dropped, records - writtenRecords, 'events are not counted')
  assert.equal(records, 4 * (50_000 - 50_000 / 50))
  assert.ok(missing > 0, 'the reader was slow enough for the test to be one')
})

for (const end of ['terminate', 'throw', 'memory'] as const) {
  test(`what a thread has logged is written although it ends in the middle (${end})`, async () => {
    const plan: Plan = { threads: 3, lines: 4000, end, busyMs: 0 }
    const { lines, sent, dropped } = await run(plan, false)
    const { numbers, missing } = judge(lines, plan.threads)
    assert.ok(dropped <= missing)
    let more = 0
    for (const [id, each] of numbers.entries()) {
      assert.ok(sent[id]! >= plan.lines >> 1)
      // Its end can come between a line and the note that it was logged.
      more += Math.max(0, (each.at(-1) ?? -1) + 1 - sent[id]!)
    }
    assert.ok(more <= plan.threads)
    assert.equal(total(numbers.map((each) => each.length)) + missing, total(sent) + more)
  })
}
