import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { contenderCores, pinned } from '../machine/processes.ts'
import type { Load } from './loads.ts'

/** Those that the gateway is started with: the size of the young generation decides what garbage costs. */
function flagsOf(root: string): string[] {
  const [, flags] = /^exec "\$node" (.*) "\$main"/m.exec(readFileSync(join(root, 'bin/fluxgate'), 'utf8')) ?? []
  if (flags === undefined) throw new Error('bin/fluxgate does not say any more how it starts Node')
  return flags.split(' ')
}

/**
 * The best of some rounds in a process of its own, in ns of CPU, of the checkout at `root`: what disturbs a round only makes it
 * dearer. `moreYaml`: lines of its configuration.
 */
export async function nsOf(root: string, load: Load, rounds: number, moreYaml = ''): Promise<number> {
  const program = join(import.meta.dirname, 'measure.ts')
  const command = [process.execPath, ...flagsOf(root), program, root, load, String(rounds), moreYaml]
  const env = { ...process.env, FLUXGATE_LOG: 'trace' }
  const child = pinned(contenderCores(), command, { env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  let figures: number[] = []
  child.on('message', (message) => {
    figures = message as number[]
  })
  await once(child, 'close')
  if (figures.length === 0) throw new Error(`${load} ended early`)
  return Math.min(...figures)
}
