import { hash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/** An input that a run has found, and that every `npm test` tries again. */
export interface Found {
  readonly name: string
  /** What was broken, or the outcome that no other input had. */
  readonly why: string
  readonly input: unknown
  /** What is not mended yet: the promise may still be broken by it. Written by hand. */
  readonly notYet?: string
}

const FOLDER = path.join(import.meta.dirname, '../vectors/found')

const fileOf = (target: string): string => path.join(FOLDER, `${target}.json`)

export function readFound(target: string): Found[] {
  return existsSync(fileOf(target)) ? JSON.parse(readFileSync(fileOf(target), 'utf8')) : []
}

/** Inputs that are known to break a promise still. */
export function knownToBreak(target: string): unknown[] {
  return readFound(target)
    .filter(({ notYet }) => notYet !== undefined)
    .map(({ input }) => input)
}

/** Targets that something was found for. */
export function foundTargets(): string[] {
  return globSync('*.json', { cwd: FOLDER }).map((file) => path.basename(file, '.json'))
}

/** Returns where it is written now. What is there already is not written again. */
export function writeFound(target: string, kind: 'breaks' | 'reaches', why: string, input: unknown): string {
  const name = `${kind}-${hash('sha256', JSON.stringify(input)).slice(0, 8)}`
  const all = readFound(target)
  if (!all.some((found) => found.name === name)) {
    mkdirSync(FOLDER, { recursive: true })
    writeFileSync(fileOf(target), `${JSON.stringify([...all, { name, why, input }], null, 1)}\n`)
  }
  return `${path.relative(process.cwd(), fileOf(target))} (${name})`
}
