import { parseArgs } from 'node:util'
import { scenarios } from './scenarios/all.ts'
import { FULL_TIMES, QUICK_TIMES, type Times } from './scenarios/scenario.ts'

const NEIGHBOURS = ['nginx', 'haproxy', 'relay'] as const
export type Neighbour = (typeof NEIGHBOURS)[number]

const ROUNDS = { full: 3, quick: 1 } as const

export interface Options {
  readonly only: readonly string[]
  readonly rounds: number
  readonly times: Times
  readonly against: readonly Neighbour[]
  readonly portkey: boolean
  readonly json: boolean
}

export const HELP = `npm run bench -- [options]: Fluxgate against others on this machine. See bench/README.md.

  --only NAMES      scenarios to run (${Object.keys(scenarios).join()})
  --rounds N        rounds of each (${ROUNDS.full}; idle and streams at most 2)
  --load PERCENT    of the rates of POSTs (100), where others need the machine too, or it is a slow one
  --quick           short loads, and one round: for seeing that it runs, not for figures
  --against NAMES   the others (${NEIGHBOURS.join()}); ratios are to nginx, or else to the first
  --portkey         also ${'@portkey-ai/gateway'}, fetched by npm when first needed, under a lighter load
  --json            results as JSON
  --help            this text

It ends with 1 if a target was missed (the last table), with 2 if it could not run.
`

/** Throws what is wrong with the arguments; nothing if help was asked for. */
export function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', default: Object.keys(scenarios).join() },
      rounds: { type: 'string' },
      load: { type: 'string', default: '100' },
      quick: { type: 'boolean', default: false },
      against: { type: 'string', default: NEIGHBOURS.join() },
      portkey: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const rounds = Number(values.rounds ?? (values.quick ? ROUNDS.quick : ROUNDS.full))
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a number from 1 on')
  const percent = Number(values.load)
  if (!(percent > 0)) throw new Error('--load takes a number of percent')
  return {
    only: names('--only', values.only, Object.keys(scenarios)),
    rounds,
    times: { ...(values.quick ? QUICK_TIMES : FULL_TIMES), share: percent / 100 },
    against: names('--against', values.against, NEIGHBOURS),
    portkey: values.portkey,
    json: values.json,
  }
}

function names<T extends string>(option: string, list: string, known: readonly T[]): T[] {
  const wanted = list.split(',').filter(Boolean)
  const unknown = wanted.filter((name) => !known.some((other) => other === name))
  if (unknown.length > 0) throw new Error(`${option} ${unknown}: there are ${known}`)
  return known.filter((name) => wanted.includes(name))
}
