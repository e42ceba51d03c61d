/** What a store can do, whichever it is. */
import type { LedgerSettings } from '../config/snapshot.ts'
import type { Row } from './row.ts'

export interface Store {
  /** Commits all of them, or throws and has committed none that a repetition would double. A row that is there already stays as it is. */
  write(rows: readonly Row[]): Promise<void>
  /** Of what `write` has thrown: the store works, and does not take what one of these rows holds. It never will. */
  refuses(error: unknown): boolean
  /** Deletes a few rows that ended before `beforeMs`; false: there are no more. */
  prune(beforeMs: number): Promise<boolean>
  close(): Promise<void>
}

export interface StoreListener {
  /** The file was gone, and there is a new one. */
  onRecreated(): void
}

/** Connects when it is first written to, and again after each fault. Imported when it is wanted: a start loads no client of a store. */
export async function openStore(settings: LedgerSettings, listener: StoreListener): Promise<Store> {
  switch (settings.store) {
    case 'sqlite':
      return (await import('./stores/sqlite.ts')).openSqlite(settings.url, listener)
    case 'postgres':
      return (await import('./stores/postgres.ts')).openPostgres(settings.url)
    case 'clickhouse':
      return (await import('./stores/clickhouse.ts')).openClickhouse(settings.url)
  }
}

/** What went wrong, as it may be logged: drivers quote what they were given, and that holds a password. */
export function faultOf(error: unknown, url: string): string {
  const { code, message } = error as { code?: unknown; message?: unknown }
  const text = typeof message === 'string' && message !== '' ? message : String(code ?? 'something that is no Error')
  const line = text.split('\n', 1)[0]!.replaceAll(url, '***')
  return secretsOf(url)
    .reduce((shown, secret) => shown.replaceAll(secret, '***'), line)
    .slice(0, 300)
}

function secretsOf(url: string): readonly string[] {
  const password = /^[a-z+]+:\/\/[^/@]*?:([^/]*)@/.exec(url)?.[1]
  if (password === undefined || password === '') return []
  try {
    return [password, decodeURIComponent(password)]
  } catch {
    return [password]
  }
}
