import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { type Case, readPage } from '../wire/page.ts'

/** What the tests have in files already: the texts that mutation starts from. */

const TEST = path.join(import.meta.dirname, '..')

interface Step {
  readonly lit?: string
  readonly send?: string
}

interface Vector {
  readonly raw?: string
  readonly parts?: readonly Step[]
  readonly script?: readonly Step[]
}

interface TokenVector {
  readonly token: string
  readonly expect: 'accept' | 'reject'
}

function readVectors<T>(name: string): { readonly meta: unknown; readonly vectors: readonly T[] } {
  return JSON.parse(readFileSync(path.join(TEST, 'vectors', `${name}.json`), 'utf8'))
}

/** Long ones are long for a limit's sake; mutation finds its own. */
const MAX_BYTES = 4_000

function pageCases(isOne: (each: Case) => boolean): string[] {
  return globSync('*.md', { cwd: path.join(TEST, 'wire'), exclude: ['README.md'] })
    .sort()
    .flatMap((page) => readPage(readFileSync(path.join(TEST, 'wire', page), 'latin1')))
    .filter((each) => isOne(each) && each.bytes.length <= MAX_BYTES)
    .map(({ bytes }) => bytes)
}

function vectorTexts(name: string): string[] {
  return readVectors<Vector>(name)
    .vectors.map(({ raw, parts, script }) => raw ?? (parts ?? script ?? []).map((s) => s.lit ?? s.send ?? '').join(''))
    .filter((text) => text !== '' && text.length <= MAX_BYTES)
}

/** What clients send, as they send it to the gateway of the vectors. */
export const requestVectors = (): string[] => vectorTexts('requests')
export const requestTexts = (): string[] => [...requestVectors(), ...pageCases(({ answers }) => answers === undefined)]
export const responseTexts = (): string[] => [
  ...vectorTexts('responses'),
  ...pageCases(({ answers }) => answers !== undefined),
]

/** What stands behind the heads of chunked messages. */
export function chunkedBodies(): string[] {
  const bodies = [...requestTexts(), ...responseTexts()]
    .filter((text) => /^transfer-encoding:[ \t]*chunked[ \t]*\r$/im.test(text) && text.includes('\r\n\r\n'))
    .map((text) => text.slice(text.indexOf('\r\n\r\n') + 4))
  return [...new Set(bodies)]
}

export interface Tokens {
  readonly now: number
  /** Secrets by their ids. */
  readonly keys: Readonly<Record<string, string>>
  readonly vectors: readonly TokenVector[]
}

export function tokens(): Tokens {
  const { meta, vectors } = readVectors<TokenVector>('jwt')
  return { ...(meta as Omit<Tokens, 'vectors'>), vectors }
}

/** The configurations that the pages of the project show. */
export function configurations(): string[] {
  const root = path.join(TEST, '..')
  const pages = ['README.md', ...globSync('docs/{guide,reference}/*.md', { cwd: root }).sort()]
  const shown = pages.flatMap((page) =>
    [...readFileSync(path.join(root, page), 'utf8').matchAll(/^```ya?ml\n([\s\S]*?)^```/gm)].map(([, text]) => text!),
  )
  return [...shown, readFileSync(path.join(root, 'config/fluxgate.yaml'), 'utf8')]
}
