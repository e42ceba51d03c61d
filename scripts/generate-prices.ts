/**
 * `node scripts/generate-prices.ts` after an update of `@pydantic/genai-prices`: config/prices.json, its prices and nothing else of it,
 * a model a line. `--check` fails if it is stale.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { findProvider } from '@pydantic/genai-prices'
import { judgePriceTable } from '../src/config/schema/price-table.ts'
import { convertPrices, formatPriceTable, type GivenProvider } from '../src/tools/prices/convert.ts'

const OUT = new URL('../config/prices.json', import.meta.url)

const require = createRequire(import.meta.url)
const main = require.resolve('@pydantic/genai-prices')
const { version } = JSON.parse(readFileSync(new URL('../package.json', `file://${main}`), 'utf8')) as {
  version: string
}

/**
 * Half of the table, and left out of the package for its size: OpenRouter says with each answer what it cost, and few call one provider through
 * Hugging Face by its own host. `fluxgate prices update` brings them.
 */
const LEFT_OUT = /^(?:openrouter$|huggingface_)/

/** It has no list of them; each is found by its id, which the text of the package holds. */
function providers(): GivenProvider[] {
  const ids = new Set([...readFileSync(main, 'utf8').matchAll(/\bid: ?["']([^"'\n]+)["']/g)].map(([, id]) => id!))
  const found = [...ids].map((id) => findProvider({ providerId: id })).filter((provider) => provider !== undefined)
  const kept = found.filter(({ id }) => !LEFT_OUT.test(id))
  return [...new Map(kept.map((provider) => [provider.id, provider as GivenProvider])).values()]
}

function current(): string | undefined {
  try {
    return readFileSync(OUT, 'utf8')
  } catch {
    return undefined
  }
}

const made = formatPriceTable(convertPrices(providers(), `genai-prices ${version}`))
const wrong = judgePriceTable(made)
if (typeof wrong === 'string') throw new Error(`the table ${wrong}`)
if (process.argv.includes('--check')) {
  if (current() !== made) {
    console.error('config/prices.json is stale: run node scripts/generate-prices.ts')
    process.exitCode = 1
  }
} else writeFileSync(OUT, made)
