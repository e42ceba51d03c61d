import { formatProblem } from '../config/load.ts'
import type { LedgerSettings } from '../config/snapshot.ts'
import { faultOf } from '../ledger/store.ts'
import type { Line } from '../tools/usage/answer.ts'
import { type Question, readQuestion } from '../tools/usage/question.ts'
import { asCsv, asJson, asTable, caveats, inOrder } from '../tools/usage/show.ts'
import { loadGiven } from './given-configuration.ts'
import { DEFAULT_CONFIG_PATH, type GivenOptions, usageError } from './usage.ts'

const FAILED = 1
const USAGE = 2

/** `fluxgate usage`: what the ledger says; the exit code. */
export async function ledgerUsage(given: GivenOptions, nowMs: number = Date.now()): Promise<number> {
  const question = readQuestion(
    {
      by: given.get('--by') ?? [],
      where: given.get('--where') ?? [],
      since: given.get('--since')?.[0],
      until: given.get('--until')?.[0],
    },
    nowMs,
  )
  const wrong =
    typeof question === 'string'
      ? question
      : given.has('--csv') && given.has('--json')
        ? "the argument '--csv' cannot be used with '--json'"
        : undefined
  if (typeof question === 'string' || wrong !== undefined) return fail(usageError('usage', wrong!), USAGE)
  const ledger = findLedger(given.get('--config')?.[0] ?? DEFAULT_CONFIG_PATH)
  if (typeof ledger === 'string') return fail(`error: ${ledger}\n`, USAGE)
  let lines: readonly Line[]
  try {
    lines = inOrder(await ask(ledger, question), question)
  } catch (error) {
    return fail(`error: the ledger at ${ledger.place} cannot be read: ${faultOf(error, ledger.url)}\n`, FAILED)
  }
  const show = given.has('--json') ? asJson : given.has('--csv') ? asCsv : asTable
  process.stdout.write(show(lines, question))
  // Apart from what a program reads.
  for (const caveat of caveats(lines)) process.stderr.write(`note: ${caveat}\n`)
  return 0
}

/** The ledger of a configuration, or why there is none. */
export function findLedger(configPath: string): LedgerSettings | string {
  const loaded = loadGiven(configPath)
  if (!loaded.ok) return loaded.problems.map(formatProblem).join('\n')
  return loaded.settings.ledger ?? 'the configuration has no ledger; add ledger.url, such as "sqlite:fluxgate.db"'
}

async function ask({ store, url }: LedgerSettings, question: Question): Promise<readonly Line[]> {
  if (store === 'sqlite') return (await import('../tools/usage/sqlite.ts')).askSqlite(url, question)
  const { askPostgres, askClickhouse } = await import('../tools/usage/servers.ts')
  return store === 'postgres' ? askPostgres(url, question) : askClickhouse(url, question)
}

function fail(text: string, code: number): number {
  process.stderr.write(text)
  return code
}
