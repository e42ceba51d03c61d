import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { FAILURES, type FailureCode } from '../../src/failure.ts'

// The page of errors is what people look a code up in. It must have each of them, and say of it what the table says.

const PAGE = 'docs/guide/errors.md'

interface Row {
  readonly section: string
  readonly status: number
  readonly text: string
}

function rowsOf(page: string): Map<string, Row> {
  const rows = new Map<string, Row>()
  let section = ''
  for (const line of page.split('\n')) {
    section = /^## (.+)$/.exec(line)?.[1] ?? section
    const [, status, code] = /^\| (\d{3}) \| `fluxgate_(\w+)` \|/.exec(line) ?? []
    if (code !== undefined) rows.set(code, { section, status: Number(status), text: line })
  }
  return rows
}

const page = readFileSync(new URL(`../../${PAGE}`, import.meta.url), 'utf8')
const rows = rowsOf(page)

for (const [code, failure] of Object.entries(FAILURES) as [FailureCode, (typeof FAILURES)[FailureCode]][]) {
  test(`${PAGE} has ${code}`, () => {
    const row = rows.get(code)
    // What no client is told of is in the log only.
    if (row === undefined) {
      const inLog = page.slice(page.indexOf('\n## In the log only'))
      assert.ok(inLog.includes(`\n| \`${code}\` |`), 'neither as an answer nor as a word of the log')
      return
    }
    assert.equal(row.status, failure.status)
    assert.equal(row.text.includes('logged as WARN'), failure.warn, 'whether it is logged as WARN')
    if (row.section === 'The request') assert.equal(failure.close, true, 'the page says that the connection is closed')
  })
}
