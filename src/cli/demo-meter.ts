/** What a demo keeps of usage: a ledger and a price for the stand-in's model, in a folder that goes with it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readQuestion } from '../tools/usage/question.ts'
import { asTable, inOrder } from '../tools/usage/show.ts'

export interface DemoMeter {
  readonly ledgerUrl: string
  readonly pricesPath: string
  /** What has been used so far, for a person; undefined: nothing. */
  report(): Promise<string | undefined>
  discard(): void
}

/** Dollars per million tokens: what OpenAI charges for gpt-4o. */
const PRICES = `version: 1
prices:
  - { model: "stand-in-*", input: 2.5, output: 10 }
`

/** Undefined where nothing can be written. */
export function openDemoMeter(): DemoMeter | undefined {
  let folder: string
  try {
    folder = mkdtempSync(join(tmpdir(), 'fluxgate-demo-'))
  } catch {
    return undefined
  }
  const [file, pricesPath] = [join(folder, 'ledger.db'), join(folder, 'prices.yaml')]
  writeFileSync(pricesPath, PRICES)
  return {
    ledgerUrl: `sqlite:${file}`,
    pricesPath,
    async report() {
      const question = readQuestion(
        { by: ['upstream', 'model'], where: [], since: undefined, until: undefined },
        Date.now(),
      )
      if (typeof question === 'string') return undefined
      const { askSqlite } = await import('../tools/usage/sqlite.ts')
      const lines = inOrder(askSqlite(file, question), question).filter(({ requests }) => requests > 0)
      return lines.length === 0 ? undefined : asTable(lines, question)
    },
    discard: () => rmSync(folder, { recursive: true, force: true }),
  }
}
