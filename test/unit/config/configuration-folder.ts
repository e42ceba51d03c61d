import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { formatProblem, type LoadFailure, type LoadSuccess, loadConfiguration } from '../../../src/config/load.ts'

/** A folder with a configuration in it, gone with the test. */
export interface ConfigurationFolder {
  readonly path: string
  /** Path of `fluxgate.yaml`, there or not. */
  readonly file: string
  write(name: string, content: string | Uint8Array): string
}

export function createFolder(t: Pick<TestContext, 'after'>): ConfigurationFolder {
  const path = mkdtempSync(join(tmpdir(), 'fluxgate-config-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  const write = (name: string, content: string | Uint8Array) => {
    writeFileSync(join(path, name), content)
    return join(path, name)
  }
  return { path, file: join(path, 'fluxgate.yaml'), write }
}

export interface Surroundings {
  readonly env?: NodeJS.ProcessEnv
  /** Files beside the configuration. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
}

export function load(
  t: Pick<TestContext, 'after'>,
  text: string | Uint8Array,
  { env = {}, files = {} }: Surroundings = {},
): LoadSuccess | LoadFailure {
  const folder = createFolder(t)
  for (const [name, content] of Object.entries(files)) folder.write(name, content)
  return loadConfiguration(folder.write('fluxgate.yaml', text), env)
}

export function loadValid(
  t: Pick<TestContext, 'after'>,
  text: string | Uint8Array,
  around?: Surroundings,
): LoadSuccess {
  const loaded = load(t, text, around)
  if (!loaded.ok) throw new Error(`must be valid, but: ${loaded.error}`)
  return loaded
}

export function loadInvalid(
  t: Pick<TestContext, 'after'>,
  text: string | Uint8Array,
  around?: Surroundings,
): LoadFailure {
  const loaded = load(t, text, around)
  if (loaded.ok) throw new Error('must be invalid')
  return loaded
}

/** Problems as a person reads them, without the folder. */
export function linesOf(problems: readonly Parameters<typeof formatProblem>[0][]): string[] {
  return problems.map((problem) => formatProblem({ ...problem, file: 'fluxgate.yaml' }))
}

/** Node has no call for it. */
export function makeFifo(path: string): void {
  execFileSync('sh', ['-c', 'mkfifo "$0"', path])
}
