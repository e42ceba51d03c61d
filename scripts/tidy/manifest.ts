import type { SourceFile } from './tree.ts'

interface Manifest {
  readonly version: string
  readonly dependencies?: Record<string, string>
  readonly devDependencies?: Record<string, string>
  readonly optionalDependencies?: Record<string, string>
}

interface LockedPackage {
  readonly version?: string
  readonly dev?: boolean
  /** Needed by both a package of development and one that is optional in production. */
  readonly devOptional?: boolean
  readonly optional?: boolean
  readonly hasInstallScript?: boolean
  readonly resolved?: string
  readonly optionalDependencies?: Record<string, string>
}

export interface Lockfile {
  readonly version: string
  readonly packages: Record<string, LockedPackage>
}

/** A version, or one of a package that is installed under another name: `npm:openai@6.49.0`. */
const EXACT = /^(?:npm:[@\w./-]+@)?\d+\.\d+\.\d+(?:-[\w.]+)?$/

export function checkManifest(files: readonly SourceFile[]): string[] {
  const text = (path: string): string | undefined => files.find((file) => file.path === path)?.text
  const manifestText = text('package.json')
  const lockText = text('package-lock.json')
  if (manifestText === undefined || lockText === undefined)
    return ['package.json and package-lock.json must both exist']
  const manifest = JSON.parse(manifestText) as Manifest
  const lock = JSON.parse(lockText) as Lockfile
  return [...checkVersions(manifest), ...checkLock(manifest, lock)]
}

function checkVersions(manifest: Manifest): string[] {
  const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies }
  return Object.entries(all)
    .filter(([, version]) => !EXACT.test(version))
    .map(([name, version]) => `package.json: ${name} must name one exact version, not ${version}`)
}

function checkLock(manifest: Manifest, lock: Lockfile): string[] {
  const problems: string[] = []
  if (lock.version !== manifest.version) problems.push(`version is not ${manifest.version}: run npm install`)
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (entry.resolved !== undefined) problems.push(`${path} has a resolved URL: npm must read .npmrc`)
    const isProduction = entry.dev !== true && entry.devOptional !== true
    if (isProduction && entry.hasInstallScript) problems.push(`${path} runs an install script in production`)
  }
  for (const { name } of missingOptionals(lock)) {
    problems.push(`${name} has no entry, so npm ci refuses the file: run node scripts/complete-lock.ts`)
  }
  return problems.map((problem) => `package-lock.json: ${problem}`)
}

/** Optional packages that some package names and that have no entry of their own. */
export function missingOptionals(lock: Lockfile): { name: string; version: string; isDev: boolean }[] {
  return Object.values(lock.packages).flatMap((owner) =>
    Object.entries(owner.optionalDependencies ?? {})
      .filter(([name]) => lock.packages[`node_modules/${name}`] === undefined)
      .map(([name, version]) => ({ name, version, isDev: owner.dev === true })),
  )
}
