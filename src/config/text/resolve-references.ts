/** The library's nodes → our tree: anchors, aliases and merge keys resolved, double keys and alias bombs refused. */
import { type Alias, isAlias, isMap, isScalar, isSeq, type Node, type YAMLMap, type Scalar as YamlScalar } from 'yaml'
import type { Entry, Mapping, Tree } from './tree.ts'

export type ReportFault = (offset: number, text: string) => void

/**
 * A bomb is a few aliases that expand to many: aliases of values which hold aliases themselves. In an honest file an
 * alias expands to itself and perhaps one or two more, so the expansion grows as the file does.
 */
const EXPANSION_FREE = 1000
const EXPANSION_PER_ALIAS = 10
/** Merge keys copy entries. Thousands of upstreams with the same defaults stay below this. */
const MAX_MERGED_ENTRIES = 100_000

const NOTHING: Tree = { kind: 'scalar', at: 0, value: null }

/** `place`: how a text names an offset. */
export function resolveReferences(
  contents: Node | null,
  fault: ReportFault,
  place: (offset: number) => string,
): Tree | undefined {
  return contents === null ? undefined : new Resolver(fault, place).tree(contents)
}

class Resolver {
  readonly #fault: ReportFault
  readonly #place: (offset: number) => string
  /** The latest node of each anchor, in the order of the document. */
  readonly #anchors = new Map<string, Node>()
  /** Undefined while a node is still being built: an alias to it would be a cycle. */
  readonly #built = new Map<Node, Tree | undefined>()
  /** How many aliases would have to be followed to write a tree out. */
  readonly #expansions = new Map<Tree, number>()
  /** The same for everything up to here. */
  #expansion = 0
  #aliases = 0
  #mergedEntries = 0
  #bombReported = false

  constructor(fault: ReportFault, place: (offset: number) => string) {
    this.#fault = fault
    this.#place = place
  }

  tree(node: Node): Tree {
    if (isAlias(node)) return this.#follow(node)
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node)
    this.#built.set(node, undefined)
    const before = this.#expansion
    const tree = this.#build(node)
    this.#expansions.set(tree, this.#expansion - before)
    this.#built.set(node, tree)
    return tree
  }

  #build(node: Node): Tree {
    const at = node.range?.[0] ?? 0
    if (isMap(node)) return this.#mapping(node, at)
    if (isSeq(node)) {
      return { kind: 'list', at, items: node.items.map((item) => this.tree(item as Node)) }
    }
    return { kind: 'scalar', at, value: this.#scalarValue(node as YamlScalar, at) }
  }

  #scalarValue(node: YamlScalar, at: number): string | number | boolean | null {
    const value = node.value
    switch (typeof value) {
      case 'bigint':
        return Number(value)
      case 'number':
        // A float. Where a whole number is asked for, 1.0 and 1e3 are as wrong as 1.5, so they must not look like one.
        return Number.isInteger(value) ? Number.NaN : value
      case 'string':
      case 'boolean':
        return value
      default:
        if (value !== null && value !== undefined) this.#fault(at, 'is of a type that is not supported here')
        return null
    }
  }

  #follow(alias: Alias): Tree {
    const at = alias.range?.[0] ?? 0
    this.#aliases++
    const target = this.#anchors.get(alias.source)
    if (target === undefined) {
      this.#fault(at, 'this alias (*name) has no anchor (&name) before it; put the value in quotes if it is none')
      return NOTHING
    }
    const tree = this.#built.get(target)
    if (tree === undefined) {
      this.#fault(at, 'this alias stands within its own anchor')
      return NOTHING
    }
    this.#expansion += 1 + (this.#expansions.get(tree) ?? 0)
    if (this.#expansion > EXPANSION_FREE + EXPANSION_PER_ALIAS * this.#aliases) this.#reportBomb(at)
    return tree
  }

  #mapping(node: YAMLMap, at: number): Mapping {
    const entries = new Map<string, Entry>()
    let merges: { readonly at: number; readonly value: Tree } | undefined
    for (const pair of node.items) {
      const key = pair.key as Node | null
      const keyAt = key?.range?.[0] ?? at
      const name = this.#keyName(key, keyAt)
      const value = pair.value === null ? { ...NOTHING, at: keyAt } : this.tree(pair.value as Node)
      if (name === undefined) continue
      const isMerge = isScalar(key) && key.value === '<<' && key.type === 'PLAIN'
      const first = isMerge ? merges : entries.get(name)
      if (first !== undefined) {
        this.#fault(keyAt, `this key stands twice in one mapping (first at ${this.#place(first.at)})`)
      } else if (isMerge) merges = { at: keyAt, value }
      else entries.set(name, { at: keyAt, value })
    }
    if (merges !== undefined) this.#merge(entries, merges.value, merges.at)
    return { kind: 'mapping', at, entries }
  }

  /** What the mapping says itself goes first, then the merged ones in their order (yaml.org/type/merge.html). */
  #merge(entries: Map<string, Entry>, value: Tree, at: number): void {
    const sources = value.kind === 'list' ? value.items : [value]
    for (const source of sources) {
      if (source.kind !== 'mapping') {
        this.#fault(at, 'a merge key (<<) takes a mapping or a list of mappings')
        return
      }
      this.#mergedEntries += source.entries.size
      if (this.#mergedEntries > MAX_MERGED_ENTRIES) {
        this.#reportBomb(at)
        return
      }
      for (const [name, entry] of source.entries) if (!entries.has(name)) entries.set(name, entry)
    }
  }

  /** A key as it is written: an upstream may well be called `1.0` or `on`. */
  #keyName(key: Node | null, at: number): string | undefined {
    if (isAlias(key)) {
      const tree = this.#follow(key)
      if (tree === NOTHING) return undefined
      if (tree.kind === 'scalar') return String(tree.value)
    }
    if (isScalar(key)) {
      if (key.anchor !== undefined) this.tree(key)
      return typeof key.value === 'string' ? key.value : (key.source ?? '')
    }
    this.#fault(at, 'a key must be text')
    return undefined
  }

  #reportBomb(at: number): void {
    if (!this.#bombReported) this.#fault(at, 'aliases expand to far more than the file holds')
    this.#bombReported = true
  }
}
