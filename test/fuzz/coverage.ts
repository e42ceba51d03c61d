import { type Profiler, Session } from 'node:inspector'
import { setFlagsFromString } from 'node:v8'

/** By the scripts' URLs, one byte for each character: 1 where it has run. */
type Covered = Map<string, Uint8Array>

/** What the optimizing compilers have made no longer counts, and what is flushed forgets. */
const COUNTING = ['opt', 'maglev', 'flush-bytecode']

/** Which parts of src/ have run. While there is one, everything runs at a third of its speed. */
export class Coverage implements Disposable {
  readonly #session = new Session()
  readonly #covered: Covered = new Map()

  constructor() {
    for (const flag of COUNTING) setFlagsFromString(`--no-${flag}`)
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** What has run since it was asked last. */
  take(): Covered {
    const taken: Covered = new Map()
    this.#session.post('Profiler.takePreciseCoverage', (error, { result }) => {
      if (error !== null) throw error
      for (const script of result)
        if (script.url.includes('/src/') && !script.url.includes('/node_modules/')) taken.set(script.url, paint(script))
    })
    return taken
  }

  /** Whether something of it had never run before. */
  isNew(taken: Covered): boolean {
    for (const [url, now] of taken) {
      const before = this.#covered.get(url)
      if (before === undefined || now.some((hasRun, i) => hasRun === 1 && before[i] !== 1)) return true
    }
    return false
  }

  add(taken: Covered): void {
    for (const [url, now] of taken) {
      const before = this.#covered.get(url) ?? new Uint8Array()
      const both = new Uint8Array(Math.max(now.length, before.length))
      both.set(before)
      for (let i = 0; i < now.length; i++) if (now[i] === 1) both[i] = 1
      this.#covered.set(url, both)
    }
  }

  [Symbol.dispose](): void {
    this.#session.disconnect()
    for (const flag of COUNTING) setFlagsFromString(`--${flag}`)
  }
}

function paint({ functions }: Profiler.ScriptCoverage): Uint8Array {
  const now = new Uint8Array(Math.max(...functions.flatMap(({ ranges }) => ranges.map(({ endOffset }) => endOffset))))
  // Outer ranges stand before inner ones, which know better.
  for (const { ranges } of functions)
    for (const { startOffset, endOffset, count } of ranges) now.fill(count > 0 ? 1 : 0, startOffset, endOffset)
  return now
}
