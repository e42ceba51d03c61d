/** `npm run bench [-- --rounds 3] [-- --only post,stream,upload]`: CPU of Fluxgate against nginx. See bench/README.md. */
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { contenders } from './contenders.ts'
import { type Measurement, scenarios } from './scenarios.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: Object.keys(scenarios).join() },
  },
})

function checkMachine(): void {
  const programs = [
    { command: 'wrk', flag: '-v', debian: 'wrk' },
    { command: 'nginx', flag: '-v', debian: 'nginx' },
    { command: 'taskset', flag: '--version', debian: 'util-linux' },
  ]
  const missing = programs.filter(({ command, flag }) => spawnSync(command, [flag]).error !== undefined)
  if (missing.length > 0) {
    give(`install first, on Debian: apt-get install ${missing.map(({ debian }) => debian).join(' ')}`)
  }
  if (availableParallelism() < 2) give('two cores are needed: one for the gateway, one for load and origin')
}

function give(message: string): never {
  console.error(`bench: ${message}`)
  process.exit(1)
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

function report(title: string, ours: readonly Measurement[], theirs: readonly Measurement[]): void {
  const ratios = ours.map((measurement, round) => measurement.cpuMicros / theirs[round]!.cpuMicros)
  const [least, most] = [Math.min(...ratios), Math.max(...ratios)]
  console.log(`\n${title}: ${median(ratios).toFixed(2)} × nginx (rounds ${least.toFixed(2)} to ${most.toFixed(2)})`)
  for (const [name, all] of Object.entries({ fluxgate: ours, nginx: theirs })) {
    const cpu = median(all.map(({ cpuMicros }) => cpuMicros)).toFixed(1)
    const rate = median(all.map((measurement) => measurement.rate)).toFixed(0)
    const late = all.flatMap(({ lateMs }) => lateMs ?? [])
    const tail = late.length > 0 ? `, 99 % of the events within ${median(late).toFixed(1)} ms` : ''
    console.log(`  ${name.padEnd(8)} ${cpu.padStart(6)} µs CPU each, ${rate}/s${tail}`)
  }
}

checkMachine()
for (const name of values.only.split(',')) {
  const scenario = scenarios[name] ?? give(`no scenario ${name}: there are ${Object.keys(scenarios)}`)
  const ours: Measurement[] = []
  const theirs: Measurement[] = []
  // A B A B: what drifts on the machine meets both.
  for (let round = 0; round < Number(values.rounds); round++) {
    ours.push(await scenario.measure(contenders.fluxgate))
    theirs.push(await scenario.measure(contenders.nginx))
  }
  report(scenario.title, ours, theirs)
}
