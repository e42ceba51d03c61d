/**
 * `npm run fuzz`: the promises of test/fuzz for longer than `npm test` has time, with inputs that grow. What breaks one is
 * written to test/vectors/found/, from where `npm test` tries it again.
 */
import { parseArgs } from 'node:util'
import { Coverage } from './coverage.ts'
import { drive, type Report } from './drive.ts'
import { knownToBreak, writeFound } from './found.ts'
import { shrink } from './shrink.ts'
import { isTextTarget, type Target } from './target.ts'
import { TARGETS } from './targets.ts'
import { Watchdog } from './watchdog.ts'

const USAGE = `Usage: npm run fuzz -- [OPTIONS]

  --minutes <N>    how long all targets take together [default: 2]
  --only <TARGET>  this target alone; can be given several times
  --seed <N>       the same seed gives the same inputs, in the same order
  --keep           also write down inputs that reach an outcome which nothing in the corpus has
  --help           print help

Targets:
${TARGETS.map(({ name, about }) => `  ${name.padEnd(15)}  ${about}`).join('\n')}
`

interface Options {
  readonly targets: readonly Target[]
  readonly seed: number
  readonly minutes: number
  readonly keeps: boolean
}

function readOptions(): Options | string {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '2' },
      only: { type: 'string', multiple: true, default: [] },
      seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return USAGE
  const unknown = values.only.find((name) => !TARGETS.some((target) => target.name === name))
  if (unknown !== undefined) throw new Error(`no target is called ${unknown}; see --help`)
  const seed = Number(values.seed)
  const minutes = Number(values.minutes)
  if (!Number.isSafeInteger(seed)) throw new Error('--seed must be an integer')
  if (!(minutes > 0)) throw new Error('--minutes must be a number above 0')
  const targets = TARGETS.filter(({ name }) => values.only.length === 0 || values.only.includes(name))
  return { targets, seed, minutes, keeps: values.keep }
}

/** As many as a person wants to look through. */
const MAX_KEPT = 4

async function keep(target: Target, report: Report): Promise<void> {
  if (!isTextTarget(target)) return
  for (const { input, outcome } of report.novelties.slice(0, MAX_KEPT)) {
    const isSame = async (text: string): Promise<boolean> => {
      try {
        return (await target.check(text)) === outcome
      } catch {
        return false
      }
    }
    writeFound(target.name, 'reaches', outcome, await shrink(input, isSame))
  }
}

async function fuzz({ targets, seed, minutes, keeps }: Options): Promise<boolean> {
  console.log(`seed ${seed}`)
  const watchdog = new Watchdog()
  let isBroken = false
  for (const target of targets) {
    watchdog.watch(target)
    const start = performance.now()
    const until = start + (minutes * 60_000) / targets.length
    // Only what is mutated makes use of it.
    using coverage = isTextTarget(target) ? new Coverage() : undefined
    const report = await drive(target, {
      seed,
      ...(coverage !== undefined && { coverage }),
      known: knownToBreak(target.name),
      goesOn: () => performance.now() < until,
      begins: (input) => watchdog.begins(input),
    })
    const seconds = ((performance.now() - start) / 1000).toFixed(0)
    const { inputs, outcomes, kept, failures } = report
    console.log(`${target.name}: ${inputs} inputs in ${seconds} s, ${outcomes} outcomes, ${kept} inputs kept`)
    if (keeps) await keep(target, report)
    for (const { input, message } of failures) {
      isBroken = true
      const where = writeFound(target.name, 'breaks', message.split('\n', 1)[0]!, input)
      console.log(`\n  ${message.split('\n').join('\n  ')}\n  input: ${JSON.stringify(input).slice(0, 2_000)}`)
      console.log(`  written to ${where}: npx node --test test/fuzz/targets.test.ts tries it again`)
      console.log(`  the whole run: npm run fuzz -- --seed ${seed} --only ${target.name} --minutes ${minutes}\n`)
    }
    await target.close?.()
  }
  await watchdog.stop()
  return isBroken
}

try {
  const options = readOptions()
  if (typeof options === 'string') console.log(options)
  else process.exitCode = (await fuzz(options)) ? 1 : 0
} catch (error) {
  console.error(`${(error as Error).message}\n\n${USAGE}`)
  process.exitCode = 2
}
