/** The ledger in a file: rows, and beside them their sums by the hour, which answer in a moment what the rows would take seconds for. */
import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { AT, COLUMN_NAMES, type Row } from '../row.ts'
import type { Store, StoreListener } from '../store.ts'
import { HourSums } from './hour-sums.ts'
import { SQLITE_SCHEMA, SQLITE_VERSION } from './sqlite-schema.ts'

/** Below a millisecond or two each, so that no batch waits for long. */
const PRUNED_AT_ONCE = 1_000
/** Another gateway that has just been replaced may still write; a reader never stands in the way. Nothing is spilled meanwhile, so it is short. */
const BUSY_MS = 200

const INSERT = `INSERT OR IGNORE INTO fluxgate_records (${COLUMN_NAMES.join(', ')}) VALUES (${COLUMN_NAMES.map(() => '?').join(', ')})`

export function openSqlite(path: string, listener: StoreListener): Store {
  let open: OpenFile | undefined
  let wasThere = false

  /** Opens it anew where somebody has taken the file away: what is written to one without a name is written for nobody. */
  function file(): OpenFile {
    if (open !== undefined && open.inode !== inodeOf(path)) {
      open.close()
      open = undefined
    }
    if (open === undefined) {
      const isNew = inodeOf(path) === undefined
      open = new OpenFile(path)
      if (isNew && wasThere) listener.onRecreated()
      wasThere = true
    }
    return open
  }

  // Each is done before it returns: there is nothing to wait for.
  const done = <T>(run: () => T): Promise<T> => new Promise((resolve) => resolve(run()))
  const close = (): void => {
    open?.close()
    open = undefined
  }
  return {
    write: (rows) =>
      done(() => {
        try {
          file().write(rows)
        } catch (error) {
          // A file that is broken or has no room is looked at from the start the next time.
          close()
          throw error
        }
      }),
    refuses,
    prune: (beforeMs) => done(() => file().prune(beforeMs)),
    close: () => done(close),
  }
}

/** Too big, a constraint, another type; or a value that is none of SQLite's. */
function refuses(error: unknown): boolean {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown }
  return code === 'ERR_INVALID_ARG_TYPE' || [18, 19, 20].includes(Number(errcode) & 0xff)
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino
}

class OpenFile {
  readonly inode: number | undefined
  readonly #db: DatabaseSync
  readonly #insert: StatementSync
  readonly #sums: HourSums

  constructor(path: string) {
    const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
    mkdirSync(dirname(path), { recursive: true })
    this.#db = new DatabaseSync(path, { timeout: BUSY_MS })
    try {
      // A kill of the process loses nothing that was committed; a power cut may lose the last moments.
      this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 67108864')
      const version = Number(this.#db.prepare('PRAGMA user_version').get()?.user_version)
      if (version > SQLITE_VERSION)
        throw new Error('the file was made by a newer Fluxgate; update, or name another file')
      // The version is a write, which a start beside another gateway can do without.
      if (version < SQLITE_VERSION) this.#db.exec(SQLITE_SCHEMA)
      this.#insert = this.#db.prepare(INSERT)
      this.#sums = new HourSums(this.#db)
    } catch (error) {
      this.#db.close()
      throw error
    }
    this.inode = inodeOf(path)
  }

  write(rows: readonly Row[]): void {
    this.#inTransaction(() => {
      this.#sums.begin()
      for (const row of rows) {
        const { changes } = this.#insert.run(...COLUMN_NAMES.map((_, index) => cellOf(row, index)))
        if (changes !== 0) this.#sums.add(row)
      }
      this.#sums.write()
    })
  }

  prune(beforeMs: number): boolean {
    let deleted: number | bigint = 0
    let hadHour = false
    this.#inTransaction(() => {
      deleted = this.#db
        .prepare(
          'DELETE FROM fluxgate_records WHERE rowid IN (SELECT rowid FROM fluxgate_records WHERE time < ? ORDER BY time LIMIT ?)',
        )
        .run(beforeMs, PRUNED_AT_ONCE).changes
      hadHour = this.#sums.prune(beforeMs)
    })
    return hadHour || Number(deleted) === PRUNED_AT_ONCE
  }

  close(): void {
    this.#db.close()
  }

  #inTransaction(run: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      run()
      this.#db.exec('COMMIT')
    } catch (error) {
      // Some faults have ended it already.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }
}

function cellOf(row: Row, index: number): string | number | null {
  const value = row[index]
  if (value === undefined) return null
  return index === AT.cost_usd ? Number(value) : value
}
