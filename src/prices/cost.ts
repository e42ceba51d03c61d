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
  readonly units: Readonly<Record<string, number>>
}

const MILLION = 1_000_000n

/** Undefined where something was used that has no price: half a cost would be taken for a whole one. */
export function costOf(amounts: Amounts, rates: Rates): bigint | undefined {
  const { units } = amounts
  const unit = (name: string): number => Math.max(0, Math.trunc(units[name] ?? 0))
  const sum = new Sum()
  if (amounts.input !== undefined) {
    const rest = sum.rest(amounts.input)
    rest.take(amounts.cached ?? 0, rates.cached ?? rates.input)
    const long = Math.min(unit('cache_write_1h_tokens'), amounts.cacheWrite ?? 0)
    rest.take(long, rates.cacheWrite1h ?? rates.cacheWrite ?? rates.input)
    rest.take((amounts.cacheWrite ?? 0) - long, rates.cacheWrite ?? rates.input)
    rest.take(unit('input_audio_tokens'), rates.inputAudio ?? rates.input)
    rest.take(unit('input_image_tokens'), rates.inputImage ?? rates.input)
    rest.take(unit('citation_tokens'), rates.citation ?? rates.input)
    rest.takeAll(rates.input)
  }
  if (amounts.output !== undefined) {
    const rest = sum.rest(amounts.output)
    rest.take(unit('output_audio_tokens'), rates.outputAudio ?? rates.output)
    rest.take(unit('output_image_tokens'), rates.outputImage ?? rates.output)
    rest.take(amounts.reasoning ?? 0, rates.reasoning ?? rates.output)
    rest.takeAll(rates.output)
  }
  const isCounted = amounts.input !== undefined || amounts.output !== undefined
  if (!isCounted && rates.request === undefined) return undefined
  if (sum.isUnknown) return undefined
  const tokens = (sum.value + MILLION / 2n) / MILLION
  return tokens + BigInt(rates.request ?? 0) + BigInt(rates.webSearch ?? 0) * BigInt(unit('web_search_requests'))
}

class Sum {
  value = 0n
  isUnknown = false

  /** Parts of a total: what is left of it has the price of the whole. No part is larger than what is left. */
  rest(total: number) {
    let left = total
    const take = (count: number, rate: number | undefined): void => {
      const taken = Math.max(0, Math.min(count, left))
      left -= taken
      if (taken === 0) return
      if (rate === undefined) this.isUnknown = true
      else this.value += BigInt(taken) * BigInt(rate)
    }
    return { take, takeAll: (rate: number | undefined) => take(left, rate) }
  }
}

/** A decimal of dollars with at most 9 places. */
export function dollarsOf(nanoDollars: bigint): string {
  const digits = String(nanoDollars).padStart(10, '0')
  const fraction = digits.slice(-9).replace(/0+$/, '')
  return fraction === '' ? digits.slice(0, -9) : `${digits.slice(0, -9)}.${fraction}`
}
