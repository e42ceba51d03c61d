/**
 * `node scripts/complete-lock.ts` after a change of dependencies. npm leaves a platform's optional package out of the lock
 * file when it could not be had where the lock was written (another platform, a mirror without it), and then `npm ci`
 * refuses the file. This adds what is missing: version and platform, read from the name; the integrity stays unknown.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { type Lockfile, missingOptionals } from './tidy/manifest.ts'

const SYSTEMS = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32', 'aix', 'netbsd', 'openbsd', 'sunos']

function platformOf(name: string): { os: string[]; cpu: string[]; libc?: string[] } {
  const words = name.slice(name.lastIndexOf('/') + 1).split('-')
  const at = words.findIndex((word) => SYSTEMS.includes(word))
  const cpu = words[at + 1]
  if (at < 0 || cpu === undefined) throw new Error(`${name} does not end with its platform: add it by hand`)
  const abi = words.slice(at + 2).join('-')
  const libc = abi.startsWith('musl') ? ['musl'] : abi.startsWith('gnu') ? ['glibc'] : undefined
  return { os: [words[at]!], cpu: [cpu], ...(libc && { libc }) }
}

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lockfile
const missing = missingOptionals(lock)
for (const { name, version, isDev } of missing) {
  lock.packages[`node_modules/${name}`] = { version, ...(isDev && { dev: true }), optional: true, ...platformOf(name) }
}
const packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)))
writeFileSync('package-lock.json', `${JSON.stringify({ ...lock, packages }, null, 2)}\n`)
console.log(`package-lock.json: ${missing.length} entries added`)
