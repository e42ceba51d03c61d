/**
 * How many octets a token takes, model by model, learned from exchanges of which the provider said the usage. From that, what an
 * exchange that broke off has used: a guess for one of them, and over many a good one.
 */

/** So many models are known at once, for each kind of content; the one that was used least lately is forgotten. */
export const MAX_MODELS = 1_000
/** What lies further back counts less: once so many tokens are in a ratio, its weight is halved. */
const MAX_TOKENS = 1_000_000

/** A stream's answer, an answer in one piece, a turn of a tunnel, a request. */
export type Kind = 'stream' | 'unary' | 'turn' | 'request'

export interface Estimator {
  learn(kind: Kind, model: string, bytes: number, tokens: number): void
  /** Undefined for a model of which nothing is known. */
  tokensOf(kind: Kind, model: string, bytes: number): number | undefined
}

interface Ratio {
  bytes: number
  tokens: number
}

export function createEstimator(): Estimator {
  const kinds: Readonly<Record<Kind, Map<string, Ratio>>> = {
    stream: new Map(),
    unary: new Map(),
    turn: new Map(),
    request: new Map(),
  }
  return {
    learn(kind, model, bytes, tokens) {
      if (!(bytes > 0 && tokens > 0)) return
      const ratios = kinds[kind]
      const ratio = touch(ratios, model) ?? { bytes: 0, tokens: 0 }
      if (ratio.tokens > MAX_TOKENS) {
        ratio.bytes /= 2
        ratio.tokens /= 2
      }
      ratio.bytes += bytes
      ratio.tokens += tokens
      ratios.set(model, ratio)
      if (ratios.size > MAX_MODELS) ratios.delete(ratios.keys().next().value!)
    },
    tokensOf(kind, model, bytes) {
      const ratio = touch(kinds[kind], model)
      return ratio === undefined ? undefined : Math.round((bytes * ratio.tokens) / ratio.bytes)
    },
  }
}

/** The one that was used last is the last of the map. */
function touch(ratios: Map<string, Ratio>, model: string): Ratio | undefined {
  const ratio = ratios.get(model)
  // As long as there is room, nobody will be forgotten.
  if (ratio === undefined || ratios.size < MAX_MODELS / 2) return ratio
  ratios.delete(model)
  ratios.set(model, ratio)
  return ratio
}
