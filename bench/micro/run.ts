/**
 * `node bench/micro/run.ts [--rounds N] [--only LOADS] [--against ROOT] [--config YAML]`: ns of CPU that our own JavaScript takes
 * for an exchange, without system calls and without Node's sockets. Each load has a process of its own, so that none profits
 * from what the compiler has learned of another.
 */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { cleanUpAtExit } from '../machine/processes.ts'
import { type Spread, spreadOf } from '../report/statistics.ts'
import { nsOf } from './figures.ts'
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

const names = values.only.split(',')
const unknown = names.filter((name) => !Object.hasOwn(LOADS, name))
if (unknown.length > 0) throw new Error(`--only ${unknown}: there are ${Object.keys(LOADS)}`)

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
  if (!names.includes(load)) continue
  const found = roots.map((): number[] => [])
  for (let i = 0; i < PROCESSES; i++)
    for (const [at, root] of roots.entries())
      found[at]!.push(await nsOf(root, load, Number(values.rounds), values.config))
  const [ours, theirs] = found.map((each) => spreadOf(each))
  console.log(row(load, ours!, theirs === undefined ? '' : (ours!.median / theirs.median).toFixed(3)))
  if (theirs !== undefined) console.log(row('  against', theirs, ''))
}
process.exit()
