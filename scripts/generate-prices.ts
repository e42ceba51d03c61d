/**
 * `node scripts/generate-prices.ts` after an update of `@pydantic/genai-prices`: config/prices.json, its prices and nothing else of it,
 * a model a line. `--check` fails if it is stale.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { findProvider, type MatchLogic, type ModelInfo, type ModelPrice } from '@pydantic/genai-prices'

const OUT = new URL('../config/prices.json', import.meta.url)

const require = createRequire(import.meta.url)
const main = require.resolve('@pydantic/genai-prices')
const { version } = JSON.parse(readFileSync(new URL('../package.json', `file://${main}`), 'utf8')) as {
  version: string
}

/** It has no list of them; each is found by its id, which the text of the package holds. */
function providers() {
  const ids = new Set([...readFileSync(main, 'utf8').matchAll(/\bid: ?["']([^"'\n]+)["']/g)].map(([, id]) => id!))
  const found = [...ids].map((id) => findProvider({ providerId: id })).filter((provider) => provider !== undefined)
  return [...new Map(found.map((provider) => [provider.id, provider])).values()].sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** A price of one amount or of tiers: `3`, or `[1.25, 200000, 2.5]`. */
function amounts(prices: ModelPrice): Record<string, number | readonly number[]> {
  return Object.fromEntries(
    Object.entries(prices).flatMap(([name, price]): [string, number | readonly number[]][] => {
      if (price === undefined) return []
      if (typeof price === 'number') return [[name, price]]
      return [[name, [price.base, ...price.tiers.flatMap(({ start, price: above }) => [start, above])]]]
    }),
  )
}

function pricesOf({ prices }: ModelInfo): unknown {
  if (!Array.isArray(prices)) return amounts(prices)
  return prices.map(({ constraint, prices: inner }) => {
    if (constraint === undefined) return amounts(inner)
    const when =
      constraint.type === 'start_date'
        ? { from: constraint.start_date }
        : { between: [constraint.start_time, constraint.end_time] }
    return { ...amounts(inner), ...when }
  })
}

/** Most are a list of names. */
function matchOf(match: MatchLogic): unknown {
  if (!('or' in match)) return match
  return match.or.every((part) => 'equals' in part)
    ? match.or.map((part) => (part as { equals: string }).equals)
    : match
}

function text(): string {
  const lines = providers().map(({ id, api_pattern, fallback_model_providers = [], models }) => {
    const rows = models.map((model) => JSON.stringify([model.id, matchOf(model.match), pricesOf(model)]))
    const head = JSON.stringify({ id, host: api_pattern, like: fallback_model_providers }).slice(0, -1)
    return `${head},"models":[\n${rows.join(',\n')}\n]}`
  })
  return `{"version":"genai-prices ${version}","providers":[\n${lines.join(',\n')}\n]}\n`
}

function current(): string | undefined {
  try {
    return readFileSync(OUT, 'utf8')
  } catch {
    return undefined
  }
}

const made = text()
if (process.argv.includes('--check')) {
  if (current() !== made) {
    console.error('config/prices.json is stale: run node scripts/generate-prices.ts')
    process.exitCode = 1
  }
} else writeFileSync(OUT, made)
