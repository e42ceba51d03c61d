/** A YAML document with aliases and merge keys resolved and every value still knowing where it stands. */
import type { Path } from './problem.ts'

export interface Scalar {
  readonly kind: 'scalar'
  /** Offset in the text. */
  readonly at: number
  readonly value: string | number | boolean | null
}

export interface List {
  readonly kind: 'list'
  readonly at: number
  readonly items: readonly Tree[]
}

export interface Mapping {
  readonly kind: 'mapping'
  readonly at: number
  readonly entries: ReadonlyMap<string, Entry>
}

export interface Entry {
  /** Offset of the key. */
  readonly at: number
  readonly value: Tree
}

/** Aliases make it a graph without cycles: a value may be reached on several ways. */
export type Tree = Scalar | List | Mapping

/** Where a person should look for this place: its key, its item, or the nearest place around it that exists. */
export function locate(root: Tree | undefined, path: Path): number {
  let at = root?.at ?? 0
  let tree = root
  for (const part of path) {
    if (typeof part === 'number') {
      tree = tree?.kind === 'list' ? tree.items[part] : undefined
      if (tree === undefined) return at
      at = tree.at
    } else {
      const entry = tree?.kind === 'mapping' ? tree.entries.get(part) : undefined
      if (entry === undefined) return at
      at = entry.at
      tree = entry.value
    }
  }
  return at
}

/** Whether something stands at this place. An explicit null is as good as nothing. */
export function isGiven(root: Tree | undefined, path: Path): boolean {
  let tree = root
  for (const part of path) {
    if (typeof part === 'number') tree = tree?.kind === 'list' ? tree.items[part] : undefined
    else tree = tree?.kind === 'mapping' ? tree.entries.get(part)?.value : undefined
  }
  return tree !== undefined && !(tree.kind === 'scalar' && tree.value === null)
}
