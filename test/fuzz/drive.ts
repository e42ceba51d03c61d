import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Coverage } from './coverage.ts'
import { mutate, type Soil } from './mutation.ts'
import { Random } from './random.ts'
import { shrink } from './shrink.ts'
import { isTextTarget, type Target, type TextTarget, type ValueTarget } from './target.ts'

/** An input that breaks a promise, and how. */
export interface Failure {
  readonly input: unknown
  readonly message: string
}

/** An input whose outcome no input of the corpus has. */
export interface Novelty {
  readonly input: string
  readonly outcome: string
}

export interface Report {
  readonly inputs: number
  /** How many of them are kept, because they reached an outcome or a part of src/ that nothing had. */
  readonly kept: number
  readonly outcomes: number
  readonly failures: readonly Failure[]
  readonly novelties: readonly Novelty[]
}

export interface Drive {
  readonly seed: number
  /** Asked before each batch. */
  goesOn(inputs: number): boolean
  readonly coverage?: Coverage
  /** Inputs that are known to break a promise; what breaks it in the same way is not told again. */
  readonly known?: readonly unknown[]
  /** Told before each input, so that somebody else can tell what hangs. */
  begins?(input: unknown): void
}

const BATCH = 64
const MAX_FAILURES = 4
/** More than anything here may take, whatever else the machine does. */
const SLOW_MS = 500

/** How large inputs may get: twice the inputs, one more. */
const scaleAfter = (inputs: number): number => Math.min(6, 1 + Math.floor(Math.log2(1 + inputs / 4_000)))

export function drive(target: Target, how: Drive): Promise<Report> {
  return isTextTarget(target) ? new TextDrive(target, how).run() : driveValues(target, how)
}

/** What makes two failures the same one: how their texts begin, without what they quote and count. */
const signature = (message: string): string => message.replaceAll(/\d+/g, '').split(/[:(\n"'`{]/, 1)[0]!

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

interface Checked {
  readonly outcome?: string
  readonly broken?: string
}

/** Processor time of this thread: what else the machine does is not the check's. */
function threadMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

/** How long it took counts too. */
async function checkOne(target: TextTarget, text: string): Promise<Checked> {
  try {
    const start = threadMs()
    const result = target.check(text)
    const ms = threadMs() - start
    const outcome = typeof result === 'string' ? result : await result
    if (ms < SLOW_MS || typeof result !== 'string') return { outcome }
    const again = threadMs()
    await target.check(text)
    return threadMs() - again < SLOW_MS ? { outcome } : { broken: `takes ${ms.toFixed(0)} ms` }
  } catch (error) {
    return { broken: messageOf(error) }
  }
}

class TextDrive {
  readonly #target: TextTarget
  readonly #how: Drive
  readonly #random: Random
  readonly #pool: string[]
  readonly #corpusSize: number
  readonly #outcomes = new Set<string>()
  readonly #known = new Set<string>()
  readonly #failures: Failure[] = []
  readonly #novelties: Novelty[] = []
  #inputs = 0

  constructor(target: TextTarget, how: Drive) {
    this.#target = target
    this.#how = how
    this.#random = new Random(`${how.seed} ${target.name}`)
    this.#pool = [...new Set(target.corpus())]
    this.#corpusSize = this.#pool.length
  }

  async run(): Promise<Report> {
    for (const input of this.#how.known ?? [])
      this.#known.add(signature((await checkOne(this.#target, input as string)).broken ?? ''))
    for (const text of [...this.#pool]) await this.#try(text, true)
    const { coverage } = this.#how
    coverage?.add(coverage.take())
    while (this.#failures.length < MAX_FAILURES && this.#how.goesOn(this.#inputs)) {
      const batch = this.#nextBatch()
      for (const text of batch) await this.#try(text, false)
      const taken = coverage?.take()
      if (taken === undefined || !coverage!.isNew(taken)) continue
      await this.#keepWhatGrows(batch, coverage!)
      // What came of the batch as a whole is not looked for again.
      coverage!.add(taken)
    }
    return {
      inputs: this.#inputs,
      kept: this.#pool.length - this.#corpusSize,
      outcomes: this.#outcomes.size,
      failures: this.#failures,
      novelties: this.#novelties,
    }
  }

  #nextBatch(): string[] {
    const random = this.#random
    const scale = scaleAfter(this.#inputs)
    const soil: Soil = {
      pool: this.#pool,
      spice: this.#target.spice,
      isUnicode: this.#target.isUnicode === true,
      scale,
    }
    const values = this.#target.values?.(scale)
    const made = values === undefined ? [] : fc.sample(values, { numRuns: BATCH / 4, seed: random.below(2 ** 31) })
    return Array.from({ length: BATCH }, (_, i) => {
      const fresh = made[Math.floor(i / 2)]
      if (fresh !== undefined && i % 2 === 0) return fresh
      // What was found last has been tried least.
      const isLate = random.below(2) === 0 && this.#pool.length > this.#corpusSize
      const late = this.#pool[this.#corpusSize + random.below(Math.max(1, this.#pool.length - this.#corpusSize))]
      return mutate(fresh ?? (isLate ? late! : random.pick(this.#pool)), random, soil)
    })
  }

  async #try(text: string, isCorpus: boolean): Promise<void> {
    if (this.#failures.length >= MAX_FAILURES) return
    this.#inputs++
    this.#how.begins?.(text)
    const { outcome, broken } = await checkOne(this.#target, text)
    if (broken !== undefined) return this.#fail(text, broken)
    if (this.#outcomes.has(outcome!)) return
    this.#outcomes.add(outcome!)
    if (isCorpus) return
    this.#pool.push(text)
    this.#novelties.push({ input: text, outcome: outcome! })
  }

  async #fail(text: string, message: string): Promise<void> {
    const same = signature(message)
    if (this.#known.has(same)) return
    this.#known.add(same)
    const breaks = async (shorter: string): Promise<boolean> => {
      this.#how.begins?.(shorter)
      return signature((await checkOne(this.#target, shorter)).broken ?? '-') === same
    }
    const shortest = await shrink(text, breaks)
    this.#failures.push({ input: shortest, message: (await checkOne(this.#target, shortest)).broken ?? message })
  }

  /** Halves the batch until the inputs are found that make coverage grow. */
  async #keepWhatGrows(batch: readonly string[], coverage: Coverage): Promise<void> {
    const middle = Math.ceil(batch.length / 2)
    for (const half of [batch.slice(0, middle), batch.slice(middle)]) {
      for (const text of half) await checkOne(this.#target, text)
      const taken = coverage.take()
      if (!coverage.isNew(taken)) continue
      if (half.length > 1) await this.#keepWhatGrows(half, coverage)
      else if (!this.#pool.includes(half[0]!)) this.#pool.push(half[0]!)
      coverage.add(taken)
    }
  }
}

/** Generated values, batch by batch; the shrinking is fast-check's. */
async function driveValues(target: ValueTarget, { seed, goesOn, begins, known = [] }: Drive): Promise<Report> {
  const told = new Set<string>()
  for (const input of known) {
    try {
      await target.check(input)
    } catch (error) {
      told.add(signature(messageOf(error)))
    }
  }
  const random = new Random(`${seed} ${target.name}`)
  const outcomes = new Set<string>()
  const failures: Failure[] = []
  let inputs = 0
  while (failures.length < MAX_FAILURES && goesOn(inputs)) {
    const property = fc.asyncProperty(target.values(scaleAfter(inputs)), async (value) => {
      inputs++
      begins?.(value)
      outcomes.add(await target.check(value))
    })
    const result = await fc.check(property, { seed: random.below(2 ** 31), numRuns: BATCH })
    if (!result.failed) continue
    assert.ok(result.counterexample !== null, 'every run fails with an example')
    const message = messageOf(result.errorInstance)
    if (told.has(signature(message))) continue
    told.add(signature(message))
    failures.push({ input: result.counterexample[0], message })
  }
  return { inputs, kept: 0, outcomes: outcomes.size, failures, novelties: [] }
}
