import type { SourceFile } from './tree.ts'

/** Names that say nothing about what is inside. */
const EMPTY_NAMES = /^(?:utils?|utilit(?:y|ies)|helpers?|managers?|services?|common|misc|shared|base|index)$/

/** Deepest path in each tree of code, counted in folders: src/http1/encoder.ts has two, a room of a room three. Tests mirror src under their kind. */
const DEPTHS: Readonly<Record<string, number>> = { src: 3, scripts: 2, bench: 2, test: 4, bin: 1 }

/** Biome checks that names are kebab-case; here it is what they say, and how deep they lie. */
export function checkNames(files: readonly SourceFile[]): string[] {
  const problems: string[] = []
  for (const { path } of files) {
    const segments = path.split('/')
    const depth = DEPTHS[segments[0]!]
    if (depth === undefined || segments.length === 1) continue
    if (segments.length - 1 > depth) problems.push(`${path}: deeper than ${depth} folders`)
    for (const segment of segments.slice(1)) {
      const name = segment.replace(/\..*$/, '')
      if (name.split('-').some((word) => EMPTY_NAMES.test(word)))
        problems.push(`${path}: "${name}" says nothing about what is inside`)
    }
  }
  return problems
}
