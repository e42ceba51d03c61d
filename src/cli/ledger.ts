import type { LedgerSettings } from '../config/snapshot.ts'
import { findLedger } from './ledger-usage.ts'
import { usageError } from './usage.ts'

/** `fluxgate ledger schema`: the tables, for those who make them themselves; the exit code. */
export async function ledger(action: string | undefined, configPath: string): Promise<number> {
  if (action !== 'schema') {
    const problem =
      action === undefined ? "what is to be done is missing: 'schema'" : `unexpected argument '${action}' found`
    process.stderr.write(usageError('ledger', problem))
    return 2
  }
  const found = findLedger(configPath)
  if (typeof found === 'string') {
    process.stderr.write(`error: ${found}\n`)
    return 2
  }
  process.stdout.write(await schemaOf(found))
  return 0
}

async function schemaOf({ store }: LedgerSettings): Promise<string> {
  switch (store) {
    case 'sqlite':
      return (await import('../ledger/stores/sqlite-schema.ts')).SQLITE_SCHEMA
    case 'postgres':
      return (await import('../ledger/stores/postgres.ts')).POSTGRES_SCHEMA
    case 'clickhouse':
      return (await import('../ledger/stores/clickhouse.ts')).CLICKHOUSE_SCHEMA
  }
}
