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

/** Opened when it is first used, and tried again after a fault: one that cannot be opened is one that is away. */
export function openStore(settings: LedgerSettings, listener: StoreListener): Store {
  let opening: Promise<Store> | undefined
  let store: Store | undefined
  const opened = (): Promise<Store> => {
    opening ??= load(settings, listener).then(
      (loaded) => {
        store = loaded
        return loaded
      },
      (error: unknown) => {
        opening = undefined
        throw error
      },
    )
    return opening
  }
  return {
    write: async (rows) => (store ?? (await opened())).write(rows),
    refuses: (error) => store?.refuses(error) ?? false,
    prune: async (beforeMs) => (store ?? (await opened())).prune(beforeMs),
    close: async () => store?.close(),
  }
}

/** Imported when it is wanted: a start loads no client of a store. */
async function load(settings: LedgerSettings, listener: StoreListener): Promise<Store> {
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
  // Before anything is cut: half a secret would be found by nobody.
  const shown = [url, ...secretsOf(url)].reduce((left, secret) => left.replaceAll(secret, '***'), text)
  return shown.split('\n', 1)[0]!.slice(0, 300)
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
