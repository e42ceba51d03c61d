import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

// The table of faults names tests. A table that names what is gone would promise what nobody checks.

const ROOT = new URL('../../', import.meta.url)
const TABLE = 'test/faults/README.md'

interface Row {
  readonly line: number
  readonly fault: string
  readonly file: string
  readonly name: string
}

/** Lines of four cells whose third is a path. */
function rowsOf(markdown: string): Row[] {
  return markdown.split('\n').flatMap((text, i) => {
    const cells = text.split('|').map((cell) => cell.trim())
    const [, file] = /^`([^`]+)`$/.exec(cells[3] ?? '') ?? []
    return cells.length === 6 && file !== undefined ? [{ line: i + 1, fault: cells[1]!, file, name: cells[4]! }] : []
  })
}

const NAME = /\b(?:test|it|describe)\(\s*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|`((?:\\.|[^`\\])*)`)/g
const HEADING = /^## (.+)$/gm
/** Of a template's own text: what has less says nothing about what it is the name of. */
const LEAST_TEXT = 8

const literally = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** What a name in the source can become: `${…}` stands for any text. */
function patternOf(name: string, isTemplate: boolean): RegExp | undefined {
  const parts = isTemplate ? name.split(/\$\{[^}]*\}/) : [name]
  const fixed = parts.map((part) => part.replace(/\\(.)/g, '$1'))
  if (isTemplate && fixed.join('').trim().length < LEAST_TEXT) return undefined
  return new RegExp(`^${fixed.map(literally).join('.+')}$`)
}

/** What is commented out is gone as well. */
const COMMENT_LINE = /^\s*(?:\/\/|\/?\*).*$/gm

/** Whether the source of a test file, or a page of wire tests, has a test that can have this name. */
function hasTest(source: string, name: string): boolean {
  for (const [, heading] of source.matchAll(HEADING)) if (heading === name) return true
  for (const [, single, double, template] of source.replace(COMMENT_LINE, '').matchAll(NAME)) {
    if (patternOf(single ?? double ?? template!, template !== undefined)?.test(name)) return true
  }
  return false
}

function problemsOf(rows: readonly Row[], read: (file: string) => string | undefined): string[] {
  return rows.flatMap(({ line, file, name }) => {
    const source = read(file)
    if (source === undefined) return [`${TABLE}:${line}: there is no ${file}`]
    return hasTest(source, name) ? [] : [`${TABLE}:${line}: ${file} has no test "${name}"`]
  })
}

test('every test that the table of faults names is there', () => {
  const rows = rowsOf(readFileSync(new URL(TABLE, ROOT), 'utf8'))
  assert.ok(rows.length > 70, `${rows.length} rows could be read`)
  const read = (file: string): string | undefined => {
    const url = new URL(file, ROOT)
    return existsSync(url) ? readFileSync(url, 'utf8') : undefined
  }
  assert.deepEqual(problemsOf(rows, read), [])
})

const PLACEHOLDER = '$' + '{x}'

test('what is gone from the table of faults would be found', () => {
  const table = [
    '| fault | what must hold | file | test |',
    '|---|---|---|---|',
    '| a | b | `there.test.ts` | plain: 502 |',
    '| | | `there.test.ts` | a FIN before the head: 502 |',
    '| c | d | `there.test.ts` | a FIN before the body: 502 |',
    '| e | f | `gone.test.ts` | plain: 502 |',
    '| g | h | `there.test.ts` | plain: 503 |',
    "| i | j | `there.test.ts` | the provider's own |",
    '| k | l | `there.test.ts` | a name that anything could be |',
  ].join('\n')
  const source = [
    "test('plain: 502', () => {})",
    'test(`a HOW before the head: 502`, () => {})'.replace('HOW', PLACEHOLDER),
    'it("the provider\'s own", () => {})',
    'test(`ID WHY`, () => {})'.replace(/[A-Z]+/g, PLACEHOLDER),
    "// test('plain: 503', there once was such a test)",
  ].join('\n')
  const problems = problemsOf(rowsOf(table), (file) => (file === 'there.test.ts' ? source : undefined))
  assert.deepEqual(
    problems.map((problem) => problem.slice(TABLE.length + 1)),
    [
      '5: there.test.ts has no test "a FIN before the body: 502"',
      '6: there is no gone.test.ts',
      '7: there.test.ts has no test "plain: 503"',
      '9: there.test.ts has no test "a name that anything could be"',
    ],
  )
})
