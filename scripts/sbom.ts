/**
 * `npm run sbom`: prints what a gateway is made of, as CycloneDX. It asks `npm sbom` about a manifest without development: with
 * `--omit=dev` that leaves out what the development needs too, which is every dependency there is.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

type Json = Record<string, unknown>

const read = (path: string): Json => JSON.parse(readFileSync(path, 'utf8')) as Json
const withoutDevelopment = ({ devDependencies: _, ...rest }: Json): Json => rest

const scratch = mkdtempSync(join(tmpdir(), 'fluxgate-sbom-'))
try {
  // Its name is taken for that of the program.
  const folder = join(scratch, 'fluxgate')
  mkdirSync(folder)
  const lock = read('package-lock.json')
  const packages = Object.entries(lock.packages as Record<string, Json>)
    .filter(([, entry]) => entry.dev !== true && entry.devOptional !== true)
    .map(([path, entry]) => [path, withoutDevelopment(entry)])
  const files = {
    'package.json': withoutDevelopment(read('package.json')),
    'package-lock.json': { ...lock, packages: Object.fromEntries(packages) },
  }
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), JSON.stringify(content))
  const args = ['sbom', '--package-lock-only', '--sbom-format=cyclonedx', '--sbom-type=application']
  const { status } = spawnSync('npm', args, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] })
  process.exitCode = status ?? 1
} finally {
  rmSync(scratch, { recursive: true })
}
