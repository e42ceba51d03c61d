/**
 * Writes the reference of the metrics from the list that the exposition is made from. `--check` writes nothing and fails if the
 * page is stale.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { FAMILIES, type FamilyKind } from '../src/metrics/families.ts'
import { processFamilies } from '../src/metrics/process-families.ts'

const PATH = 'docs/reference/metrics.md'

const code = (text: string): string => `\`${text}\``

function row(name: string, { type, help, labels }: FamilyKind): string {
  return `| ${code(name)} | ${type} | ${labels.map(code).join(' ')} | ${help.replaceAll('|', '\\|')} |\n`
}

/** Families with the same bounds share a line. */
function bounds(families: readonly (readonly [string, FamilyKind])[]): string {
  const names = new Map<string, string[]>()
  for (const [name, family] of families) {
    if (family.bounds === undefined) continue
    const key = family.bounds.join(', ')
    names.set(key, [...(names.get(key) ?? []), code(name)])
  }
  return [...names].map(([key, each]) => `| ${each.join(' ')} | ${key} |\n`).join('')
}

export function metricsReference(): string {
  const families = (Object.entries(FAMILIES) as [string, FamilyKind][]).filter(([, { isInner }]) => !isInner)
  return `# Metrics reference

<!-- Generated from src/metrics/families.ts by scripts/generate-metrics-reference.ts. Do not edit. -->

What \`/metrics\` of the operations door tells. Names and labels are part of the interface: changing one counts as a breaking
change. Units are seconds and bytes. Counters begin at 0 with the process. All figures are sums over the workers.

No label has a value that a client may choose freely: \`upstream\` and \`api_key\` are names of the configuration, an unknown method is
\`other\`, and what is not known is empty. So a client cannot make series.

| name | type | labels | meaning |
| --- | --- | --- | --- |
${families.map(([name, family]) => row(name, family)).join('')}
## Labels

| label | values |
| --- | --- |
| \`upstream\` | the name under \`upstreams\`; empty where a request had none, for example a 401 |
| \`api_key\` | the \`id\` of the key, or its place (\`static[0]\`); empty where none was valid |
| \`method\` | the method, or \`other\` |
| \`code\` | a status; of \`fluxgate_refusals_total\` what the field \`x-fluxgate-error\` says ([errors](errors.md)) |
| \`outcome\` | \`complete\`, \`client_abort\`, \`upstream_abort\`, \`timeout\`, \`refused\`, as in the [log](log.md#requests) |
| \`phase\` | \`request\` or \`response\` |
| \`state\` | \`idle\`, \`busy\`, and of upstreams \`connecting\` |
| \`result\` | of connects \`ok\` or the code of the failure ([errors](errors.md)); of reloads \`applied\`, \`invalid\`, \`unreadable\` |
| \`worker\` | the number of the thread; 0 is the main one |

## Buckets

Upper bounds in seconds. The last bucket, \`+Inf\`, goes without saying.

| histogram | bounds |
| --- | --- |
${bounds(families)}
## Of the process

Under the names that Prometheus's own clients give them.

| name | type | meaning |
| --- | --- | --- |
${processFamilies()
  .map(({ name, type, help }) => `| ${code(name)} | ${type} | ${help} |\n`)
  .join('')}`
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
  const text = metricsReference()
  if (current(url) === text) return 0
  if (isCheck) {
    console.error(`${PATH} is stale: run node scripts/generate-metrics-reference.ts`)
    return 1
  }
  writeFileSync(url, text)
  console.log(`wrote ${PATH}`)
  return 0
}

if (import.meta.main) process.exitCode = run(process.argv.includes('--check'))
