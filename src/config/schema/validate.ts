/**
 * Tree → document: every value is held against the schema, everything wrong is reported, and what is wrong is left out,
 * so that the rest can still be compiled and all problems of a file are found at once.
 */
import * as v from 'valibot'
import type { Path } from '../text/problem.ts'
import { nearest } from '../text/suggest.ts'
import type { Mapping, Tree } from '../text/tree.ts'
import type { ConfigurationDocument, PricesDocument } from './document.ts'
import { PRICES_SCHEMA } from './ledger.ts'
import { CONFIGURATION_SCHEMA } from './schema.ts'
import { expectationOf, isRequired, type Schema, type Shape, shapeOf, unwrap } from './shape.ts'

export interface Report {
  problem(path: Path, text: string): void
  /** `at`: the offset of what is meant, where it has no place of its own in the tree. */
  warning(path: Path, text: string, at: number): void
}

export function validate(root: Tree | undefined, report: Report): ConfigurationDocument {
  return validateBy(CONFIGURATION_SCHEMA, root, report) as ConfigurationDocument
}

/** The same for the file of `usage.prices`. */
export function validatePrices(root: Tree | undefined, report: Report): PricesDocument {
  return validateBy(PRICES_SCHEMA, root, report) as PricesDocument
}

function validateBy(schema: Schema, root: Tree | undefined, report: Report): unknown {
  const empty: Mapping = { kind: 'mapping', at: 0, entries: new Map() }
  const document = root === undefined || isNull(root) ? empty : root
  return read(schema, document, [], { ...report, isKey: keyTest(document) }) ?? {}
}

interface Reading extends Report {
  /** Whether this text is written somewhere in the file as a key. */
  isKey(text: string): boolean
}

/** The value, or undefined where it was wrong. */
function read(schema: Schema, tree: Tree, path: Path, report: Reading): unknown {
  const shape = shapeOf(schema)
  if (shape.kind === 'value') return readValue(schema, tree, path, report)
  if (shape.kind !== tree.kind) {
    report.problem(path, expectationOf(schema) + whatIsThere(shape, tree))
    return undefined
  }
  if (shape.kind === 'list' && tree.kind === 'list') {
    return tree.items.map((item, index) => read(shape.item, item, [...path, index], report))
  }
  return readMapping(shape as MappingShape, tree as Mapping, path, report)
}

/** The usual slips by name: `- openai:` for `openai:`, and a name for a dash. */
function whatIsThere(shape: Shape, tree: Tree): string {
  if (shape.kind === 'mapping' && tree.kind === 'list') return '; dashes and square brackets make a list of it'
  if (shape.kind === 'list' && tree.kind === 'mapping') return '; each item needs a dash in the place of a name'
  return ''
}

type MappingShape = Extract<Shape, { kind: 'mapping' }>

function readMapping(shape: MappingShape, tree: Mapping, path: Path, report: Reading): unknown {
  // Without a prototype a key such as `constructor` is a key like any other.
  const values: Record<string, unknown> = Object.create(null)
  const outdented = findOutdented(shape, tree)
  if (outdented !== undefined) report.problem([...path, outdented.owner], outdented.text)
  const missing = missingIn(shape, tree)
  for (const [name, { at, value }] of tree.entries) {
    if (outdented?.names.has(name)) {
      // Its name is known all the same.
      if (name === outdented.owner) values[name] = undefined
      continue
    }
    const known = Object.hasOwn(shape.entries, name) ? shape.entries[name] : undefined
    if (known !== undefined) {
      // An explicit null is an absent key.
      if (!isNull(value)) values[name] = read(known, value, [...path, name], report)
    } else if (shape.rest !== undefined) {
      values[name] = readNamed(shape, name, value, path, report)
    } else if (!reportMisspelt(shape, name, missing, path, report)) reportUnknown(shape, name, at, path, report)
  }
  for (const [name, schema] of missing) report.problem([...path, name], `is missing; ${expectationOf(schema)}`)
  return values
}

function missingIn(shape: MappingShape, { entries }: Mapping): Map<string, Schema> {
  const missing = Object.entries(shape.entries).filter(([name, schema]) => {
    const entry = entries.get(name)
    return isRequired(schema) && (entry === undefined || isNull(entry.value))
  })
  return new Map(missing)
}

/** One slip is one problem: a required key that is there under a wrong name is told at that name, and not as missing. */
function reportMisspelt(
  shape: MappingShape,
  name: string,
  missing: Map<string, Schema>,
  path: Path,
  report: Reading,
): boolean {
  const near = nearest(name, Object.keys(shape.entries))
  if (near === undefined || !missing.delete(near)) return false
  report.problem([...path, name], `unknown, did you mean ${near}, which is missing?`)
  return true
}

interface Outdented {
  readonly owner: string
  readonly names: ReadonlySet<string>
  readonly text: string
}

/** Keys of an upstream that stand beside its name instead of below it: one mistake, however many keys. */
function findOutdented(shape: MappingShape, { entries }: Mapping): Outdented | undefined {
  if (shape.rest === undefined) return undefined
  const below = shapeOf(shape.rest)
  const names = [...entries.keys()]
  const owner = names.find((name) => isNull(entries.get(name)!.value) && !Object.hasOwn(shape.entries, name))
  if (owner === undefined || below.kind !== 'mapping') return undefined
  const [first, ...others] = names.filter((name) => {
    const isOfUpstream = Object.hasOwn(below.entries, name) && !Object.hasOwn(shape.entries, name)
    return isOfUpstream && !isUpstream(entries.get(name)!.value)
  })
  if (first === undefined) return undefined
  const text = `has nothing below it; ${first} and what follows must be indented further than the name`
  return { owner, names: new Set([owner, first, ...others]), text }
}

/** One that is called like a key of an upstream (`tls`). */
function isUpstream(tree: Tree): boolean {
  return tree.kind === 'mapping' && (tree.entries.has('request_path') || tree.entries.has('target_url'))
}

/** An upstream, or a misspelt key beside the upstreams; a field that is set. */
function readNamed(shape: MappingShape, name: string, tree: Tree, path: Path, report: Reading): unknown {
  const schema = shape.rest!
  if (name.trim() === '') {
    report.problem([...path, name], 'a name must be neither empty nor blank')
    return undefined
  }
  if (tree.kind === 'mapping' || shapeOf(schema).kind === 'value') return read(schema, tree, [...path, name], report)
  const near = tree.kind === 'scalar' ? nearest(name, Object.keys(shape.entries)) : undefined
  const hint = near === undefined ? '' : `; did you mean ${near}?`
  report.problem([...path, name], `${expectationOf(schema)}${hint}`)
  return undefined
}

/** What looks like a key of ours. Anything else may be a secret in the wrong place, and is not repeated. */
const KEY_NAME = /^[A-Za-z][A-Za-z_-]{0,39}$/
const MEMBER_NAME = /^[A-Za-z0-9_]{1,32}$/

/** Members of a key are restrictions: one that is not understood would leave the key open, and is no matter of comfort. */
function isOfKey(path: Path): boolean {
  return path[0] === 'api_keys' && path.length === 3
}

function reportUnknown(shape: MappingShape, name: string, at: number, path: Path, report: Reading): void {
  if (isOfKey(path)) {
    reportUnknownOfKey(shape, name, path, report)
    return
  }
  const near = nearest(name, Object.keys(shape.entries))
  const known = Object.keys(shape.entries).join(', ')
  if (near !== undefined) report.warning([...path, name], `unknown, did you mean ${near}?`, at)
  // Beside a key, even a plain word may be one.
  else if (KEY_NAME.test(name) && path[0] !== 'api_keys') {
    report.warning([...path, name], `unknown; known here are ${known}`, at)
  } else report.warning(path, `holds an unknown key; known here are ${known}`, at)
}

function reportUnknownOfKey(shape: MappingShape, name: string, path: Path, report: Reading): void {
  const known = Object.keys(shape.entries)
  const near = nearest(name, known)
  const rest = `known here are ${known.join(', ')}`
  if (near !== undefined) report.problem([...path, name], `unknown, did you mean ${near}?`)
  else if (MEMBER_NAME.test(name) && !report.isKey(name)) report.problem([...path, name], `unknown; ${rest}`)
  else report.problem(path, `holds an unknown key; ${rest}`)
}

/** Looks only when it is asked, and once: the texts that stand where keys stand. */
function keyTest(root: Tree): (text: string) => boolean {
  let keys: ReadonlySet<string> | undefined
  return (text) => (keys ??= keysIn(root)).has(text)
}

function keysIn(root: Tree): ReadonlySet<string> {
  const keys = new Set<string>()
  const seen = new Set<Tree>([root])
  // A set goes on with what is added meanwhile; aliases may lead to one tree in several ways.
  for (const tree of seen) {
    if (tree.kind === 'list') for (const item of tree.items) seen.add(item)
    if (tree.kind !== 'mapping') continue
    for (const [name, { value }] of tree.entries) {
      if (value.kind !== 'scalar') seen.add(value)
      else if (name === 'key' || name === 'api_key') keys.add(String(value.value))
    }
  }
  return keys
}

function readValue(schema: Schema, tree: Tree, path: Path, report: Reading): unknown {
  // The library's own texts quote the value, which may be a secret: they are never used.
  const result = v.safeParse(unwrap(schema), plain(tree), { message: 'is not valid' })
  if (result.success) return result.output
  // One value can break several rules; their texts differ.
  const hint = isQuoted(schema, tree) ? ', without quotes' : ''
  for (const text of new Set(result.issues.map((issue) => issue.message))) report.problem(path, text + hint)
  return undefined
}

const FLAGS = new Map([
  ['true', true],
  ['false', false],
])

/** A number or a flag that quotes have made a text. */
function isQuoted(schema: Schema, tree: Tree): boolean {
  if (tree.kind !== 'scalar' || typeof tree.value !== 'string') return false
  const meant = /^\d+$/.test(tree.value) ? Number(tree.value) : FLAGS.get(tree.value)
  return meant !== undefined && v.safeParse(unwrap(schema), meant).success
}

/** As far as a value's schema looks: a scalar, a list of scalars, or a mapping of scalars (`{ env: NAME }`). */
function plain(tree: Tree): unknown {
  if (tree.kind === 'scalar') return tree.value
  if (tree.kind === 'list') return tree.items.map((item) => (item.kind === 'scalar' ? item.value : []))
  const values: Record<string, unknown> = Object.create(null)
  for (const [name, { value }] of tree.entries) {
    if (!isNull(value)) values[name] = value.kind === 'scalar' ? value.value : []
  }
  return values
}

function isNull(tree: Tree): boolean {
  return tree.kind === 'scalar' && tree.value === null
}
