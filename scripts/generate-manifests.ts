/**
 * Renders the plain manifests of deploy/kubernetes/ from the chart, with `helm template`. Each file says which chart it is from, by a
 * digest of the chart's files and of the values. So `--check` sees a stale one without helm; where helm is there, it renders and compares.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { parse } from 'yaml'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const CHART = 'deploy/helm/fluxgate'
const TARGET = 'deploy/kubernetes'
const VALUES = 'deploy/helm/plain-values.yaml'
const SELF = 'scripts/generate-manifests.ts'
/** Of kinds that a cluster has only with an operator: `kubectl apply -f deploy/kubernetes` leaves folders out. */
const FOLDERS: Readonly<Record<string, string>> = {
  'service-monitor.yaml': 'prometheus-operator',
  'prometheus-rule.yaml': 'prometheus-operator',
}
/** A helm that knows no cluster takes some version for granted, not always one that the chart admits. */
const KUBERNETES = '1.31.0'

const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8')

/** Of everything that the manifests are made from. The alerts are a link to where they stand; the dashboard is in none of them. */
function digest(): string {
  const files = globSync(`${CHART}/**/*`, { cwd: ROOT })
    .map((file) => file.replaceAll(path.sep, '/'))
    .filter((file) => statSync(path.join(ROOT, file)).isFile() && !file.endsWith('.json'))
  const hash = createHash('sha256')
  for (const file of [...files, VALUES].sort()) hash.update(`${file}\0${read(file)}\0`)
  return hash.digest('hex').slice(0, 16)
}

const header = (): string => `# Rendered from ${CHART} (${digest()}) and ${VALUES} by ${SELF}. Do not edit.\n`

function written(): string[] {
  return globSync(`${TARGET}/**/*.yaml`, { cwd: ROOT })
    .map((file) => file.replaceAll(path.sep, '/'))
    .sort()
}

/** The manifests by their paths; undefined where there is no helm. */
function render(): Map<string, string> | undefined {
  const args = ['template', 'fluxgate', CHART, '--values', VALUES, '--kube-version', KUBERNETES]
  const { error, status, stdout, stderr } = spawnSync('helm', args, { cwd: ROOT, encoding: 'utf8' })
  if (error !== undefined) return undefined
  if (status !== 0) throw new Error(stderr)
  const files = new Map<string, string>()
  for (const document of stdout.split(/^---\n/m)) {
    const [, source, text] = /^# Source: fluxgate\/templates\/(\S+)\n([\s\S]*)$/.exec(document) ?? []
    if (source === undefined) continue
    // Nothing here belongs to helm, and it should not look as if it did.
    const own = text!.replaceAll(/^ *(?:app\.kubernetes\.io\/managed-by|helm\.sh\/chart): .*\n| +$/gm, '')
    files.set([TARGET, FOLDERS[source], source].filter(Boolean).join('/'), `${header()}${own.trimEnd()}\n`)
  }
  return files
}

function staleFiles(): string[] {
  const rendered = render()
  const there = written()
  if (rendered === undefined) {
    console.log('helm is not installed: only the digests are compared')
    if (there.length === 0) return [TARGET]
    return there.filter((file) => !read(file).startsWith(header()))
  }
  const all = new Set([...rendered.keys(), ...there])
  return [...all].filter((file) => !isSame(file, rendered.get(file)))
}

/** By what they say: versions of helm write the same value in different ways. */
function isSame(file: string, text: string | undefined): boolean {
  if (text === undefined || !existsSync(path.join(ROOT, file))) return false
  const now = read(file)
  return now.startsWith(header()) && isDeepStrictEqual(parse(now), parse(text))
}

function run(isCheck: boolean): number {
  if (isCheck) {
    const stale = staleFiles()
    for (const file of stale) console.error(`${file} is stale: run node ${SELF} (it needs helm)`)
    return stale.length === 0 ? 0 : 1
  }
  const rendered = render()
  if (rendered === undefined) {
    console.error('helm is not installed')
    return 1
  }
  for (const file of written()) if (!rendered.has(file)) rmSync(path.join(ROOT, file))
  for (const [file, text] of rendered) {
    mkdirSync(path.join(ROOT, path.dirname(file)), { recursive: true })
    writeFileSync(path.join(ROOT, file), text)
  }
  console.log(`wrote ${rendered.size} files to ${TARGET}`)
  return 0
}

if (import.meta.main) process.exitCode = run(process.argv.includes('--check'))
