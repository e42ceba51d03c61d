/** `npm run bench`: Fluxgate against other gateways on this machine. See bench/README.md. */
import { spawnSync } from 'node:child_process'
import { type Contender, LIGHT_LOAD } from './contenders/contender.ts'
import { fluxgate } from './contenders/fluxgate.ts'
import { haproxy } from './contenders/haproxy.ts'
import { nginx } from './contenders/nginx.ts'
import { fetchPortkey, portkey } from './contenders/portkey.ts'
import { relay } from './contenders/relay.ts'
import { verify } from './contenders/verify.ts'
import { describeMachine, isIdle, type Machine } from './machine/describe.ts'
import { cleanUpAtExit, LOAD_CORE } from './machine/processes.ts'
import { howToInstall, isInstalled, type Program } from './machine/programs.ts'
import { HELP, type Options, readOptions } from './options.ts'
import { type Result, resultOf } from './report/results.ts'
import { table, verdictTable } from './report/table.ts'
import { isMissed, judge } from './report/targets.ts'
import { scenarios } from './scenarios/all.ts'
import { attempt, type Figures, type Round, type Scenario, Shortfall } from './scenarios/scenario.ts'

const OURS = 'fluxgate'

function give(message: string): never {
  console.error(`bench: ${message}`)
  process.exit(2)
}

/** They stand below the table as well. */
const notes: string[] = []

function note(message: string): void {
  notes.push(message)
  console.error(`bench: ${message}`)
}

function requirePrograms(): void {
  if (!isInstalled('taskset')) give(`missing: taskset. On Debian: ${howToInstall(['taskset'])}`)
}

/** Who is there and does its work. */
async function findContenders({ against, ...options }: Options): Promise<Contender[]> {
  const missing = against.filter((name) => name !== 'relay' && !isInstalled(name)) as Program[]
  if (missing.length > 0) note(`runs without ${missing.join(' and ')}. On Debian: ${howToInstall(missing)}`)
  const others = { nginx, haproxy, relay }
  const found = [
    fluxgate(),
    ...against.filter((name) => !missing.some((other) => other === name)).map((name) => others[name]()),
  ]
  if (options.portkey) {
    const fetched = await attempt(async () => fetchPortkey())
    if (fetched instanceof Error) note(`runs without portkey: ${fetched.message}`)
    else {
      found.push(portkey())
      note(lighter())
    }
  }
  const sound: Contender[] = []
  for (const contender of found) {
    const wrong = await attempt(() => verify(contender))
    if (wrong instanceof Error) note(`runs without ${contender.name}: ${wrong.message}`)
    else sound.push(contender)
  }
  return sound
}

/** A B C A B C: what drifts on the machine meets all. Who has failed is not asked again. */
async function measure(
  name: string,
  scenario: Scenario,
  contenders: readonly Contender[],
  { rounds: most, times }: Options,
): Promise<Result> {
  const own = scenario.between?.contenders()
  const yardstick = scenario.between?.yardstick ?? contenders.find((one) => one.name !== OURS)?.name ?? OURS
  let left = own ?? contenders
  const ours = scenario.between?.ours ?? OURS
  const rounds: Round[] = []
  const count = Math.min(most, scenario.mostRounds ?? most)
  while (rounds.length < count && left.length > 0) {
    process.stderr.write(`${name}: round ${rounds.length + 1} of ${count}\n`)
    const round = await scenario.round(left, times)
    rounds.push(round)
    left = left.filter(({ name }) => !hasFailed(round.get(name)))
  }
  return resultOf({ name, scenario, yardstick, ours, rounds })
}

/** Falling short may be the machine's fault, and another round another matter. */
function hasFailed(found: Figures | Error | undefined): boolean {
  return found instanceof Error && !(found instanceof Shortfall)
}

function lighter(): string {
  const { post, upload, stream, idle, streams } = LIGHT_LOAD
  return `portkey gets a lighter load: ${post.rate} and ${upload.rate} requests a second, ${stream} streams, ${idle} idle connections, ${streams} open streams`
}

function introduction(machine: Machine, contenders: readonly Contender[]): string {
  const { cpu, cores, kernel, load, busyPercent } = machine
  const versions = contenders.map(({ name, version }) => `${name} ${version}`).join(', ')
  return `${cpu}, ${cores} cores, Linux ${kernel}, load ${load.toFixed(2)}, ${busyPercent} % busy at the start\n${versions}`
}

/** Whether all targets that were measured are met. */
async function main(options: Options): Promise<boolean> {
  cleanUpAtExit()
  requirePrograms()
  // What this process does in between is not to disturb a contender. Its children choose their own core.
  const { status } = spawnSync('taskset', ['--cpu-list', '--pid', String(LOAD_CORE), String(process.pid)])
  if (status !== 0) give('two cores are needed: one for the contender, one for load and origin')
  const machine = await describeMachine()
  if (!isIdle(machine)) note('this machine is not idle: trust the ratios only, and those with care')
  const { share } = options.times
  if (share !== 1) note(`rates of POSTs are ${share * 100} % of what stands in the titles`)
  const contenders = await findContenders(options)
  const results: Result[] = []
  for (const name of options.only) results.push(await measure(name, scenarios[name]!, contenders, options))
  const verdicts = judge(results)
  if (options.json) {
    const versions = Object.fromEntries(contenders.map(({ name, version }) => [name, version]))
    console.log(
      JSON.stringify({ machine, isIdle: isIdle(machine), versions, notes, results, targets: verdicts }, undefined, 2),
    )
  } else {
    const targets = verdicts.length > 0 ? [verdictTable(verdicts)] : []
    const parts = [introduction(machine, contenders), table(results), ...targets, ...notes]
    console.log(parts.join('\n\n'))
  }
  return !verdicts.some(isMissed)
}

let code = 0
try {
  const options = readOptions(process.argv.slice(2))
  if (options === undefined) console.log(HELP)
  else if (!(await main(options))) code = 1
} catch (error) {
  give(error instanceof Error ? error.message : String(error))
}
process.exit(code)
