/**
 * Writes the reference of the log from the lists that the log itself is made from. `--check` writes nothing and fails if
 * the page is stale.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { CAUSES } from '../src/cause.ts'
import { ACCESS_FIELDS, RECORD_MESSAGE } from '../src/observe/access-log.ts'
import { EVENTS } from '../src/observe/events.ts'
import { jsonName } from '../src/observe/log.ts'
import { LOG_FORMAT, LOG_LEVEL, LOG_STYLE } from '../src/observe/logging.ts'

const PATH = 'docs/reference/log.md'

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`
  return line(head) + line(head.map(() => '---')) + rows.map(line).join('')
}

const code = (text: string): string => `\`${text}\``

/** As it is called in text, and in JSON where that is another name. */
function eventField(name: string): string {
  return jsonName(name) === name ? code(name) : `${code(name)} (JSON: ${code(jsonName(name))})`
}

export function logReference(): string {
  const variables = [LOG_LEVEL, LOG_FORMAT, LOG_STYLE].map(({ name, values, meaning }) => {
    return [code(name), values.map(code).join(' '), code(values[0]!), meaning]
  })
  const fields = Object.entries(ACCESS_FIELDS).map(([name, meaning]) => [code(name), meaning])
  const events = Object.values(EVENTS).map(({ level, message, fields: names, meaning }) => {
    return [level.toUpperCase(), code(message), names.map(eventField).join(' '), meaning]
  })
  const causes = Object.entries(CAUSES).map(([word, meaning]) => [code(word), meaning])
  return `# Log reference

<!-- Generated from src/observe/ by scripts/generate-log-reference.ts. Do not edit. -->

One line per event on standard output. Text (the default) is \`<time> <LEVEL> <message> key=value …\`; JSON is one object per
line that begins with \`time\`, \`level\` and \`message\` and goes on with the same keys. \`gcp\` is JSON with \`severity\` in place of
\`level\`: DEBUG (for TRACE as well), INFO, WARNING or ERROR; and a request has Google Cloud's \`httpRequest\` at its end. Times are RFC 3339 in UTC with
microseconds. Absent values are left out. In text, a value with blanks, quotes, backslashes or control characters, or an
empty one, is written as a JSON string; no value of either format can begin a second line or steer a terminal.

## Settings

Environment variables, in any case. An unknown value is reported once and the default is used. \`NO_COLOR\` and \`TERM=dumb\` are
honoured.

${table(['variable', 'values', 'default', 'meaning'], variables)}
## Requests

One line \`${RECORD_MESSAGE}\` per request, written when its last byte has been relayed or it has ended in another way. Its level is
WARN if the upstream's side failed or the gateway's own did: every \`upstream_abort\`, every \`timeout\` that is not the client's, every
500, 502, 503 and 504 of the gateway's, also where an answer was broken off after its head. It is TRACE otherwise. Fields in this order:

${table(['field', 'meaning'], fields)}
But for \`request_id\`, header fields and bodies are never logged. In a query, \`***\` stands for the value of a parameter named \`key\`, \`api-key\`,
\`api_key\`, \`apikey\`, \`access_token\` or \`token\`, for every value that is a client key of the configuration, and for all that
follows the 64th parameter.

### Causes

\`cause\` is one of the words below, or the name of an error as the system (\`ECONNRESET\`, \`EAI_AGAIN\`), Node
(\`ERR_TLS_CERT_ALTNAME_INVALID\`) or OpenSSL (\`CERT_HAS_EXPIRED\`) has it: upper-case letters, digits and \`_\`, up to 64 of them. \`status_\` and three digits is what a proxy has answered to CONNECT.
It never has a byte of the peer's.

${table(['cause', 'meaning'], causes)}
## Events

Of the start, the stop and what happens between. \`{}\` is an address or the name of a signal.

${table(['level', 'message', 'fields', 'meaning'], events)}
## When standard output is slow or broken

Traffic never waits for the log. Lines wait in memory, up to 8 MiB; then they are dropped, and \`${EVENTS.dropped.message}\` says
how many as soon as half of what waits has been written. A full disk and a reader that has left are the same as a slow
reader. An exit waits for a slow reader for one second at most.
`
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
  const text = logReference()
  if (current(url) === text) return 0
  if (isCheck) {
    console.error(`${PATH} is stale: run node scripts/generate-log-reference.ts`)
    return 1
  }
  writeFileSync(url, text)
  console.log(`wrote ${PATH}`)
  return 0
}

if (import.meta.main) process.exitCode = run(process.argv.includes('--check'))
