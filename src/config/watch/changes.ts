/** What a reload changes, in names: of keys, upstreams and files, never a value. Made where it holds up no traffic. */
import { unpackKeys } from '../key-table.ts'
import type { Settings } from '../settings.ts'
import type { TlsMaterial } from '../snapshot.ts'
import type { Source } from '../source.ts'

/** What differs, ready for the log: lists of names; nothing where there are none. */
export interface Changes {
  readonly keysAdded?: string
  readonly keysRemoved?: string
  readonly keysChanged?: string
  readonly upstreamsAdded?: string
  readonly upstreamsRemoved?: string
  readonly upstreamsChanged?: string
  /** Files that the configuration takes secrets or certificates from, and whose content is another one. */
  readonly filesChanged?: string
  /** Of the gateway's own certificates, and of those that sign the certificates of clients. */
  readonly certificates: CertificateChanges
  /** There were some, and there are none. */
  readonly losesKeys: boolean
  readonly losesUpstreams: boolean
}

export interface CertificateChanges {
  /** Files whose content is in force from now on. */
  readonly reloaded: readonly string[]
  /** Files whose content is of no use, which has not been said of it yet: what they held before stays in force. */
  readonly failing: readonly { readonly path: string; readonly error: string }[]
  /** Nothing else is different. */
  readonly isAll: boolean
}

export const NO_CHANGES: Changes = {
  certificates: { reloaded: [], failing: [], isAll: false },
  losesKeys: false,
  losesUpstreams: false,
}

/** A log line has an end. */
const MAX_NAMES = 20
const MAX_NAME_LENGTH = 200

interface Entry {
  readonly name: string
  /** Equal for equal entries. */
  readonly content: string
  /** By which an entry is found again: its name, or a digest where it has none, since its place changes with the entries above it. */
  readonly identity: string
}

interface Difference {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly changed: readonly string[]
}

/** `changed`: paths of all files whose content is another one. */
export function changesBetween(before: Settings, after: Settings, changed: readonly string[] = []): Changes {
  const [oldKeys, newKeys] = [keysOf(before), keysOf(after)]
  const [oldUpstreams, newUpstreams] = [upstreamsOf(before), upstreamsOf(after)]
  const keys = differenceOf(oldKeys, newKeys)
  const upstreams = differenceOf(oldUpstreams, newUpstreams)
  const isOther = [keys, upstreams].some(({ added, removed, changed }) => {
    return added.length + removed.length + changed.length > 0
  })
  return {
    ...listed('keysAdded', keys.added),
    ...listed('keysRemoved', keys.removed),
    ...listed('keysChanged', keys.changed),
    ...listed('upstreamsAdded', upstreams.added),
    ...listed('upstreamsRemoved', upstreams.removed),
    ...listed('upstreamsChanged', upstreams.changed),
    certificates: certificateChanges(before, after, isOther ? undefined : changed),
    losesKeys: oldKeys.length > 0 && newKeys.length === 0,
    losesUpstreams: oldUpstreams.length > 0 && newUpstreams.length === 0,
  }
}

/** `applied`: identity of the files that were in force. Those that it named already count, the configuration file as well. */
export function changedFiles(applied: string | undefined, sources: readonly Source[]): readonly string[] {
  if (applied === undefined) return []
  const digests = new Map<string, string>()
  for (const line of applied.split('\n')) {
    const [limit, digest, ...path] = line.split(' ')
    digests.set(`${limit} ${path.join(' ')}`, digest!)
  }
  const changed = sources.filter(({ path, limit, digest }) => {
    return (digests.get(`${limit} ${path}`) ?? digest) !== digest
  })
  return [...new Set(changed.map(({ path }) => path))]
}

/** Among them, those that the configuration file names. */
export function namedFiles(changed: readonly string[], [file]: readonly Source[]): Pick<Changes, 'filesChanged'> {
  return listed(
    'filesChanged',
    changed.filter((path) => path !== file?.path),
  )
}

/** `changed`: of files, where nothing else is different. */
function certificateChanges(
  before: Settings,
  after: Settings,
  changed: readonly string[] | undefined,
): CertificateChanges {
  const [old, present] = [materialsOf(before), materialsOf(after)]
  const reloaded: string[] = []
  const failing: { path: string; error: string }[] = []
  for (const [place, { path, kept, content }] of present) {
    const was = old.get(place)
    if (kept !== undefined) {
      const isNews = kept.digest !== was?.kept?.digest || kept.error !== was.kept.error
      if (isNews) failing.push({ path, error: kept.error })
    } else if (was !== undefined && (was.content !== content || was.kept !== undefined)) reloaded.push(path)
  }
  const files = new Set([...present.values()].flatMap((material) => material.files))
  const isAll = changed !== undefined && changed.length > 0 && changed.every((path) => files.has(path))
  return { reloaded, failing, isAll }
}

function materialsOf({ server: { tls } }: Settings): Map<string, TlsMaterial & { readonly content: string }> {
  const pairs = (tls?.certificates ?? []).map((pair) => ({ ...pair, content: `${pair.cert}\n${pair.key}` }))
  const authority = tls?.ca === undefined ? [] : [{ ...tls.ca, content: tls.ca.pem }]
  return new Map([...pairs, ...authority].map((material) => [material.place, material]))
}

function keysOf({ staticKeys, jwtKeys, upstreams }: Settings): Entry[] {
  // By name: their places change with those above them.
  const namesOf = (indexes: readonly number[]) => indexes.map((index) => upstreams[index]?.name).sort()
  const statics = unpackKeys(staticKeys).map(({ digest, name, upstreams: indexes }) => {
    const content = `${digest} ${JSON.stringify(namesOf(indexes))}`
    return { name, content, identity: /^static\[\d+\]$/.test(name) ? digest : `static ${name}` }
  })
  const signing = jwtKeys.map((key) => {
    const content = JSON.stringify({ ...key, upstreams: namesOf(key.upstreams) })
    return { name: key.id, content, identity: `jwt ${key.id}` }
  })
  return [...statics, ...signing]
}

function upstreamsOf({ upstreams }: Settings): Entry[] {
  return upstreams.map((upstream) => ({
    name: upstream.name,
    content: JSON.stringify(upstream),
    identity: upstream.name,
  }))
}

function differenceOf(before: readonly Entry[], after: readonly Entry[]): Difference {
  const byIdentity = pair(before, after, ({ identity }) => identity)
  // What has no name of its own may have got another value in its place.
  const byName = pair(byIdentity.removed, byIdentity.added, ({ name }) => name)
  return {
    added: byName.added.map(({ name }) => name),
    removed: byName.removed.map(({ name }) => name),
    changed: [...byIdentity.changed, ...byName.changed],
  }
}

function pair(before: readonly Entry[], after: readonly Entry[], keyOf: (entry: Entry) => string) {
  const removed = new Map(before.map((entry) => [keyOf(entry), entry]))
  const added: Entry[] = []
  const changed: string[] = []
  for (const entry of after) {
    const found = removed.get(keyOf(entry))
    removed.delete(keyOf(entry))
    if (found === undefined) added.push(entry)
    else if (found.content !== entry.content) changed.push(entry.name)
  }
  return { removed: [...removed.values()], added, changed }
}

function listed<Name extends string>(name: Name, names: readonly string[]): { readonly [K in Name]?: string } {
  if (names.length === 0) return {}
  const short = (text: string): string => (text.length > MAX_NAME_LENGTH ? `${text.slice(0, MAX_NAME_LENGTH)}…` : text)
  const shown = names.slice(0, MAX_NAMES).map(short).join(', ')
  const hidden = names.length - MAX_NAMES
  return { [name]: hidden > 0 ? `${shown} and ${hidden} more` : shown } as { readonly [K in Name]?: string }
}
