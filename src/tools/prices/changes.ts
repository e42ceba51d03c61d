/** What is different between two tables of prices. */
import type { PriceTableText } from '../../config/schema/price-table.ts'

export interface PriceChanges {
  /** For a person, a line each. */
  readonly lines: readonly string[]
  readonly added: number
  readonly removed: number
  readonly changed: number
}

export function comparePrices(before: PriceTableText, after: PriceTableText): PriceChanges {
  const old = byName(before)
  const present = byName(after)
  const added = [...present].filter(([name]) => !old.has(name))
  const removed = [...old.keys()].filter((name) => !present.has(name))
  const changed = [...present].flatMap(([name, prices]) => {
    const was = old.get(name)
    return was === undefined || was === prices ? [] : [`changed  ${name}: ${was} → ${prices}`]
  })
  return {
    lines: [
      ...added.map(([name, prices]) => `added    ${name}: ${prices}`),
      ...removed.map((name) => `removed  ${name}`),
      ...changed,
    ],
    added: added.length,
    removed: removed.length,
    changed: changed.length,
  }
}

export function countModels({ providers }: PriceTableText): number {
  return providers.reduce((sum, { models }) => sum + models.length, 0)
}

function byName({ providers }: PriceTableText): Map<string, string> {
  return new Map(
    providers.flatMap(({ id, models }) =>
      models.map(([model, , prices]) => [`${id}/${model}`, JSON.stringify(prices)] as const),
    ),
  )
}
