/**
 * `node bench/micro/run.ts [--rounds N] [--only LOADS] [--against ROOT] [--config YAML]`: ns of CPU that our own JavaScript takes
 * for an exchange, without system calls and without Node's sockets. Each load has a process of its own, so that none profits
 * from what the compiler has learned of another.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { cleanUpAtExit, contenderCores, pinned } from '../machine/processes.ts'
import { type Spread, spreadOf } from '../report/statistics.ts'
import { LOADS, type Load } from './loads.ts'

const HERE = resolve(import.meta.dirname, '../..')
/** How the compiler happens to decide differs from one to the next: the figure is the median of the best round of each. */
const PROCESSES = 3

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '6' },
    only: { type: 'string', default: Object.keys(LOADS).join() },
    against: { type: 'string' },
    config: { type: 'string', default: '' },
  },
})

/** Those that the gateway is started with: the size of the young generation decides what garbage costs. */
function flagsOf(root: string): string[] {
  const [, flags] = /^exec "\$node" (.*) "\$main"/m.exec(readFileSync(join(root, 'bin/fluxgate'), 'utf8')) ?? []
  if (flags === undefined) throw new Error('bin/fluxgate does not say any more how it starts Node')
  return flags.split(' ')
}

async function figures(root: string, load: Load): Promise<number[]> {
  const program = join(import.meta.dirname, 'measure.ts')
  const command = [process.execPath, ...flagsOf(root), program, root, load, values.rounds, values.config]
  const env = { ...process.env, FLUXGATE_LOG: 'trace' }
  const child = pinned(contenderCores(), command, { env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const ended = once(child, 'exit').then(() => undefined)
  const told = once(child, 'message').then(([message]) => message as number[])
  const found = await Promise.race([told, ended])
  await ended
  if (found === undefined) throw new Error(`${load} ended early`)
  return found
}

function row(load: string, { median, min, max }: Spread, ratio: string): string {
  const range = `${min.toFixed(0)}..${max.toFixed(0)}`
  return [load.padEnd(10), median.toFixed(0).padStart(8), range.padStart(16), ratio.padStart(8)].join(' ')
}

cleanUpAtExit()
const others = values.against === undefined ? [] : [resolve(values.against)]
const roots = [HERE, ...others]
console.log(
  `${'load'.padEnd(10)} ${'ns'.padStart(8)} ${'min..max'.padStart(16)}${others.length > 0 ? '    ratio' : ''}`,
)
for (const load of Object.keys(LOADS) as Load[]) {
  if (!values.only.split(',').includes(load)) continue
  const found = roots.map((): number[] => [])
  for (let i = 0; i < PROCESSES; i++)
    for (const [at, root] of roots.entries()) found[at]!.push(Math.min(...(await figures(root, load))))
  const [ours, theirs] = found.map((each) => spreadOf(each))
  console.log(row(load, ours!, theirs === undefined ? '' : (ours!.median / theirs.median).toFixed(3)))
  if (theirs !== undefined) console.log(row('  against', theirs, ''))
}
process.exit()
