/**
 * Writes the reference of the gateway's own answers from the failure table. `--check` writes nothing and fails if the page is
 * stale. The guide's page of errors says what to do; this one is complete by construction.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { errorType, FAILURES, type FailureCode, recordLevel } from '../src/failure.ts'

const PATH = 'docs/reference/errors.md'

const code = (text: string): string => `\`${text}\``

function answerRow([name, failure]: [FailureCode, (typeof FAILURES)[FailureCode]]): string {
  const cells = [
    String(failure.status),
    code(`fluxgate_${name}`),
    failure.message,
    code(errorType(failure.status)),
    code(failure.outcome),
    failure.side,
    failure.close ? 'closed' : 'kept',
    recordLevel(name, undefined).toUpperCase() + (failure.warn ? ', event' : ''),
  ]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`
}

export function errorsReference(): string {
  const all = Object.entries(FAILURES) as [FailureCode, (typeof FAILURES)[FailureCode]][]
  const answers = all.filter(([, { status }]) => status !== 0).sort(([, a], [, b]) => a.status - b.status)
  const silent = all.filter(([, { status }]) => status === 0)
  return `# Error reference

<!-- Generated from src/failure.ts by scripts/generate-errors-reference.ts. Do not edit. -->

Every answer that the gateway makes itself, and every word of \`error\` in its log. [Errors](../guide/errors.md) says what to do
about each of them.

- *code* is in the field \`x-fluxgate-error\` and in \`error.code\` of the body, and the \`code\` of
  \`fluxgate_refusals_total\` ([metrics](metrics.md)). The log has it without \`fluxgate_\`.
- *message* follows \`fluxgate:\` in the body.
- *type* is \`error.type\` of the body, and *outcome* the \`outcome\` of the record.
- *side* says whose failure it is.
- *connection* says what becomes of the client's connection over HTTP/1.1. Other rules may close one that would be kept.
- *record* is the level of the request's record. Where an *event* is logged beside it, the [log reference](log.md#events) has it.

Where the head of a response has gone out already, there is no answer left to make. The connection is cut, and the record has the
code all the same.

| status | code | message | type | outcome | side | connection | record |
| --- | --- | --- | --- | --- | --- | --- | --- |
${answers.map(answerRow).join('')}
## Without an answer

| error | outcome | side | meaning |
| --- | --- | --- | --- |
${silent.map(([name, { outcome, side, message }]) => `| ${code(name)} | ${code(outcome)} | ${side} | ${message} |\n`).join('')}`
}

function current(url: URL): string | undefined {
  try {
    return readFileSync(url, 'utf8')
  } catch {
    return undefined
  }
}

function run(isCheck: boolean): number {
  const url = new URL(`../${PATH}`, import.meta.url)
  const text = errorsReference()
  if (current(url) === text) return 0
  if (isCheck) {
    console.error(`${PATH} is stale: run node scripts/generate-errors-reference.ts`)
    return 1
  }
  writeFileSync(url, text)
  console.log(`wrote ${PATH}`)
  return 0
}

if (import.meta.main) process.exitCode = run(process.argv.includes('--check'))
