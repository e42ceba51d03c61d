/** What an exchange costs: integers of nano-dollars throughout, so that a sum of rows is the sum of their costs. */

/** Nano-dollars for a million tokens each; `request` and `webSearch` for one. Undefined: there is no such price. */
export interface Rates {
  readonly input?: number | undefined
  readonly cached?: number | undefined
  readonly cacheWrite?: number | undefined
  readonly cacheWrite1h?: number | undefined
  readonly output?: number | undefined
  readonly reasoning?: number | undefined
  readonly inputAudio?: number | undefined
  readonly outputAudio?: number | undefined
  readonly inputImage?: number | undefined
  readonly outputImage?: number | undefined
  readonly citation?: number | undefined
  readonly webSearch?: number | undefined
  readonly request?: number | undefined
}

/** As in a row: totals, and parts of them. Undefined: not said. */
export interface Amounts {
  readonly input: number | undefined
  readonly cached: number | undefined
  readonly cacheWrite: number | undefined
  readonly output: number | undefined
  readonly reasoning: number | undefined
  readonly units: Readonly<Record<string, number>> | undefined
}

const MILLION = 1_000_000
/** Below it a number is exact, and ten times as fast as a bigint. */
const MAX_EXACT = Number.MAX_SAFE_INTEGER
const NO_UNITS: Readonly<Record<string, number>> = {}

/** Undefined where something was used that has no price: half a cost would be taken for a whole one. */
export function costOf(amounts: Amounts, rates: Rates): bigint | undefined {
  const units = amounts.units ?? NO_UNITS
  const unit = (name: string): number => Math.max(0, Math.trunc(units[name] ?? 0))
  const sum = new Sum()
  if (amounts.input !== undefined) {
    sum.begin(amounts.input)
    sum.take(amounts.cached ?? 0, rates.cached ?? rates.input)
    const long = Math.min(unit('cache_write_1h_tokens'), amounts.cacheWrite ?? 0)
    sum.take(long, rates.cacheWrite1h ?? rates.cacheWrite ?? rates.input)
    sum.take((amounts.cacheWrite ?? 0) - long, rates.cacheWrite ?? rates.input)
    sum.take(unit('input_audio_tokens'), rates.inputAudio ?? rates.input)
    sum.take(unit('input_image_tokens'), rates.inputImage ?? rates.input)
    sum.take(unit('citation_tokens'), rates.citation ?? rates.input)
    sum.takeRest(rates.input)
  }
  if (amounts.output !== undefined) {
    sum.begin(amounts.output)
    sum.take(unit('output_audio_tokens'), rates.outputAudio ?? rates.output)
    sum.take(unit('output_image_tokens'), rates.outputImage ?? rates.output)
    sum.take(amounts.reasoning ?? 0, rates.reasoning ?? rates.output)
    sum.takeRest(rates.output)
  }
  const isCounted = amounts.input !== undefined || amounts.output !== undefined
  if (!isCounted && rates.request === undefined) return undefined
  if (sum.isUnknown) return undefined
  const searches = rates.webSearch === undefined ? 0n : BigInt(rates.webSearch) * BigInt(unit('web_search_requests'))
  return sum.nanoDollars() + BigInt(rates.request ?? 0) + searches
}

/** Parts of a total: what is left of it has the price of the whole. No part is larger than what is left. */
class Sum {
  isUnknown = false
  #left = 0
  /** Millionths of nano-dollars: the sum is that of both. */
  #exact = 0
  #large = 0n

  begin(total: number): void {
    this.#left = total
  }

  take(count: number, rate: number | undefined): void {
    const taken = Math.max(0, Math.min(count, this.#left))
    if (taken === 0) return
    this.#left -= taken
    if (rate === undefined) {
      this.isUnknown = true
      return
    }
    const exact = this.#exact + taken * rate
    if (exact <= MAX_EXACT) this.#exact = exact
    else this.#large += BigInt(taken) * BigInt(rate)
  }

  takeRest(rate: number | undefined): void {
    this.take(this.#left, rate)
  }

  nanoDollars(): bigint {
    const half = MILLION / 2
    if (this.#large === 0n && this.#exact <= MAX_EXACT - half) {
      const rounded = this.#exact + half
      return BigInt((rounded - (rounded % MILLION)) / MILLION)
    }
    return (this.#large + BigInt(this.#exact) + BigInt(half)) / BigInt(MILLION)
  }
}

/** A decimal of dollars with at most 9 places. */
export function dollarsOf(nanoDollars: bigint): string {
  const digits = String(nanoDollars).padStart(10, '0')
  let end = digits.length
  const point = end - 9
  while (end > point && digits.charCodeAt(end - 1) === ZERO) end--
  return end === point ? digits.slice(0, point) : `${digits.slice(0, point)}.${digits.slice(point, end)}`
}

const ZERO = 0x30
