/** `usage.prices` → rules, `usage.price_table` → a table. The files are sources like any other, so that a change of one is a change of the configuration. */
import type { PricesDocument, UsageDocument } from '../schema/document.ts'
import { judgePriceTable, MAX_TABLE_BYTES } from '../schema/price-table.ts'
import { validatePrices } from '../schema/validate.ts'
import type { OwnRates, PriceRule } from '../snapshot.ts'
import { decode } from '../text/decode.ts'
import { parse } from '../text/parse.ts'
import { formatPath, type Path } from '../text/problem.ts'
import { locate } from '../text/tree.ts'
import { FOLDER } from './pem.ts'
import type { Scope } from './scope.ts'

const PLACE = ['usage', 'prices']
const MAX_PRICES_BYTES = 10 * 1024 * 1024
/** The first ones say what is wrong with a file; each of thousands would say it again. */
const MAX_TOLD = 10

type RuleDocument = NonNullable<NonNullable<PricesDocument['prices']>[number]>
type RatesDocument = Pick<
  RuleDocument,
  'input' | 'cached' | 'cache_write' | 'output' | 'reasoning' | 'audio' | 'request'
>

export function compilePrices(document: UsageDocument | undefined, scope: Scope): readonly PriceRule[] {
  if (document?.prices === undefined) return []
  const content = scope.read(document.prices, MAX_PRICES_BYTES)
  const told = { problems: 0, warnings: 0 }
  const problem = (text: string): void => {
    if (told.problems++ < MAX_TOLD) scope.problem(PLACE, text)
  }
  if (content.wrong !== undefined) {
    problem(`names a file that ${content.wrong} ${FOLDER}`)
    return []
  }
  const text = decode(content.bytes)
  if (typeof text !== 'string') {
    problem(`line ${text.line} of that file: ${text.text}`)
    return []
  }
  const { root, faults, position } = parse(text)
  for (const fault of faults) problem(`line ${fault.line} of that file: ${fault.text}`)
  if (faults.length > 0) return []
  const line = (path: Path, what: string, at = locate(root, path)): string =>
    `line ${position(at).line} of that file: ${path.length === 0 ? '' : `${formatPath(path)}: `}${what}`
  const prices = validatePrices(root, {
    problem: (path, what) => problem(line(path, what)),
    warning: (path, what, at) => {
      if (told.warnings++ < MAX_TOLD) scope.warning(PLACE, line(path, what, at))
    },
  })
  return (prices.prices ?? []).flatMap((rule, index) => {
    const found = rule && compileRule(rule, (what) => problem(line(['prices', index], what)))
    return found ?? []
  })
}

/** `usage.price_table` → its text, if all of it is a table. */
export function compilePriceTable(document: UsageDocument | undefined, scope: Scope): string | undefined {
  if (document?.price_table === undefined) return undefined
  const content = scope.read(document.price_table, MAX_TABLE_BYTES)
  const text = content.wrong === undefined ? Buffer.from(content.bytes).toString('utf8') : ''
  const wrong = content.wrong === undefined ? judgePriceTable(text) : `${content.wrong} ${FOLDER}`
  if (typeof wrong !== 'string') return text
  scope.problem(['usage', 'price_table'], `names a file that ${wrong}`)
  return undefined
}

function compileRule(rule: RuleDocument, problem: (what: string) => void): PriceRule | undefined {
  if (rule.model === undefined) return undefined
  const rates = ratesOf(rule)
  const tiers = (rule.tiers ?? []).flatMap((tier) =>
    tier?.above === undefined ? [] : [{ above: tier.above, rates: ratesOf(tier) }],
  )
  const isSaid = (found: OwnRates): boolean => Object.values(found).some((rate) => rate !== undefined)
  if (!isSaid(rates) && !tiers.some((tier) => isSaid(tier.rates))) {
    problem('has no price; add input and output, or request')
  }
  tiers.sort((a, b) => a.above - b.above)
  if (tiers.some((tier, index) => tier.above === tiers[index + 1]?.above)) {
    problem('has two tiers above the same number of tokens')
  }
  return { model: rule.model, upstream: rule.upstream, provider: rule.provider, rates, tiers }
}

function ratesOf(document: RatesDocument): OwnRates {
  return {
    input: nanoDollars(document.input),
    cached: nanoDollars(document.cached),
    cacheWrite: nanoDollars(document.cache_write),
    output: nanoDollars(document.output),
    reasoning: nanoDollars(document.reasoning),
    audio: nanoDollars(document.audio),
    request: nanoDollars(document.request),
  }
}

function nanoDollars(dollars: number | undefined): number | undefined {
  return dollars === undefined ? undefined : Math.round(dollars * 1e9)
}
