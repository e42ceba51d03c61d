/** `ledger` → where the rows go. Its URL may hold a password: no text made here repeats it. */
import { resolve } from 'node:path'
import { DEFAULTS } from '../schema/defaults.ts'
import type { LedgerDocument } from '../schema/document.ts'
import type { LedgerSettings } from '../snapshot.ts'
import type { Scope } from './scope.ts'
import { emptyFault, readFieldSecret } from './secret.ts'

const URL_PATH = ['ledger', 'url']
const FORMS = 'must be sqlite:PATH, postgres://… or clickhouse+https://… (or clickhouse+http://…)'
const ESCAPES = 'In a password, write %40 for @, %2F for / and %25 for %'

export function compileLedger(document: LedgerDocument | undefined, scope: Scope): LedgerSettings | undefined {
  if (document === undefined) return undefined
  if (document.url === undefined) {
    if (!scope.isGiven(URL_PATH)) {
      scope.warning(['ledger'], 'has no url, so that there is no ledger; add one, such as "sqlite:fluxgate.db"')
    }
    return undefined
  }
  const secret = readFieldSecret(document.url, scope)
  const store =
    'wrong' in secret
      ? secret
      : secret.text === ''
        ? { wrong: emptyFault(document.url) }
        : parseLedgerUrl(secret.text, scope.folder)
  if ('wrong' in store) {
    scope.problem(URL_PATH, store.wrong)
    return undefined
  }
  return {
    ...store,
    queueRows: document.queue_rows ?? DEFAULTS.queue_rows,
    spillPath:
      document.spill_path !== undefined
        ? resolve(scope.folder, document.spill_path)
        : store.store === 'sqlite'
          ? `${store.url}-spill`
          : undefined,
    spillMaxBytes: document.spill_max_bytes ?? DEFAULTS.spill_max_bytes,
    retentionDays: document.retention_days ?? DEFAULTS.retention_days,
  }
}

function isDecodable(part: string): boolean {
  try {
    decodeURIComponent(part)
    return true
  } catch {
    return false
  }
}

/** @param folder where a relative path begins */
function parseLedgerUrl(
  text: string,
  folder: string,
): Pick<LedgerSettings, 'store' | 'url' | 'place'> | { readonly wrong: string } {
  if (text.startsWith('sqlite:')) {
    const path = text.slice('sqlite:'.length)
    if (path.startsWith('//')) return { wrong: 'must have the path right behind sqlite:, as in sqlite:/var/lib/x.db' }
    if (path.trim() === '' || path === ':memory:') return { wrong: 'must name a file behind sqlite:' }
    const file = resolve(folder, path)
    return { store: 'sqlite', url: file, place: `sqlite:${file}` }
  }
  const store = /^postgres(?:ql)?:\/\//.test(text)
    ? 'postgres'
    : /^clickhouse\+https?:\/\//.test(text)
      ? 'clickhouse'
      : undefined
  if (store === undefined) return { wrong: FORMS }
  const url = URL.parse(store === 'clickhouse' ? text.slice('clickhouse+'.length) : text)
  if (url === null) return { wrong: `is no URL; ${FORMS}. ${ESCAPES}` }
  // Clients differ in where they take the host to begin, and an error would show it.
  if (/^[^/]*\/\/[^/?]*@[^/?]*@/.test(text)) return { wrong: `must have one @, before the host. ${ESCAPES}` }
  if (![url.username, url.password, url.pathname].every(isDecodable)) {
    return { wrong: `has a % that is no escape of a character. ${ESCAPES}` }
  }
  if (url.hash !== '') return { wrong: 'must have no #; in a password, write %23 for it' }
  const scheme = text.slice(0, text.indexOf(':'))
  return { store, url: text, place: `${scheme}://${url.host}${url.pathname}` }
}
