import { formatProblem } from '../config/load.ts'
import type { Settings } from '../config/settings.ts'
import type { Rates } from '../prices/cost.ts'
import { findPrice, type Price } from '../prices/pricing.ts'
import { type PriceTable, publicPrices } from '../prices/table.ts'
import { loadGiven } from './given-configuration.ts'

const UNKNOWN = 1
const USAGE = 2
const EACH: readonly (keyof Rates)[] = ['request', 'webSearch']

/** `fluxgate prices [MODEL]`: what would be charged, and where that comes from; the exit code. */
export function prices(
  model: string | undefined,
  configPath: string,
  isConfigGiven: boolean,
  print: (line: string) => void,
): number {
  const loaded = loadGiven(configPath)
  // The public prices need no configuration.
  if (!loaded.ok && (isConfigGiven || loaded.reason !== 'missing')) {
    process.stderr.write(`error: ${loaded.problems.map(formatProblem).join('\n')}\n`)
    return USAGE
  }
  const settings = loaded.ok ? loaded.settings : undefined
  const table = publicPrices(settings?.priceTable)
  if (model === undefined) {
    print(`${table.version}; providers: ${table.providerNames.join(', ')}`)
    print(`usage.prices: ${settings?.prices.length ?? 0} prices of your own`)
    return 0
  }
  const found = [...byUpstream(model, settings, table), ...byProvider(model, settings, table)]
  for (const { name, price } of found) {
    print(`${name}: ${price.source}`)
    for (const line of describe(price)) print(`  ${line}`)
  }
  if (found.length === 0) print(`no price is known for ${JSON.stringify(model)}`)
  return found.length === 0 ? UNKNOWN : 0
}

interface Named {
  readonly name: string
  readonly price: Price
}

function byUpstream(model: string, settings: Settings | undefined, table: PriceTable): readonly Named[] {
  if (settings === undefined) return []
  return settings.upstreams.flatMap((upstream) => {
    const price = findPrice(settings.prices, table, upstream, model)
    return price === undefined ? [] : [{ name: `upstream ${upstream.name}`, price }]
  })
}

/** Where no upstream tells whose model is meant, all that have it. */
function byProvider(model: string, settings: Settings | undefined, table: PriceTable): readonly Named[] {
  if ((settings?.upstreams.length ?? 0) > 0) return []
  return table.providerNames.flatMap((provider) => {
    const found = table.find(provider, model)
    if (found === undefined || !found.name.startsWith(`${provider}/`)) return []
    return [
      { name: `provider ${provider}`, price: { source: `${found.name} of ${table.version}`, rates: found.rates } },
    ]
  })
}

function describe(price: Price): readonly string[] {
  const now = Date.now()
  const rates = price.rates(now, 0)
  const above = price.rates(now, Number.MAX_SAFE_INTEGER)
  return (Object.keys(rates) as (keyof Rates)[]).flatMap((name) => {
    const rate = rates[name]
    if (rate === undefined) return []
    const tier = above[name] === rate || above[name] === undefined ? '' : ` (in the highest tier ${above[name] / 1e9})`
    return [`${name.padEnd(13)} $${rate / 1e9}${tier} ${EACH.includes(name) ? 'each' : 'per million tokens'}`]
  })
}
