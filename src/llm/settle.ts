import type { Content } from './content.ts'
import type { Found } from './dialect.ts'
import type { Estimator, Kind } from './estimate.ts'
import { type Counts, modelOf, noCounts, sumOf, type UnknownReason, type Usage, type UsageState } from './usage.ts'
import type { TunnelUsage } from './websocket-tap.ts'

/** What is known of an exchange beside what its answer says. */
export interface Circumstances {
  readonly isWhole: boolean
  readonly status: number
  /** There was something where JSON should have been. */
  readonly isGarbled: boolean
  readonly estimator: Estimator
  readonly requestBytes: number
  /** Octets of the answer that have to do with its output; undefined if they are no measure of it. */
  readonly outputBytes: number
  /** The same, as something to learn from. */
  readonly learnedBytes: number | undefined
  readonly requestModel: string | undefined
  readonly ttftMs: number | undefined
}

interface Verdict {
  readonly state: UsageState
  readonly counts: Counts
  readonly reason?: UnknownReason
}

/** The usage of an exchange, by what its answer says and how it ended. */
export function settle(content: Content | undefined, found: Found | undefined, about: Circumstances): Usage {
  const named = modelOf(found?.model) ?? about.requestModel
  const verdict = judge(content, found, about, named)
  return usageOf(verdict, named, about)
}

/** The usage of a tunnel. A client may leave whenever no turn goes on. */
export function settleTunnel(found: TunnelUsage, about: Pick<Circumstances, 'requestModel' | 'ttftMs'>): Usage {
  const requestModel = found.requestModel ?? about.requestModel
  return usageOf(judgeTunnel(found), found.model ?? requestModel, { ...about, requestModel })
}

function judgeTunnel({ counts, estimatedOutput, isOpen, isUnsound, failure }: TunnelUsage): Verdict {
  if (counts === undefined) {
    if (failure !== undefined) return { state: 'unknown', counts: noCounts(), reason: failure }
    if (estimatedOutput !== undefined) return { state: 'estimated', counts: { ...noCounts(), output: estimatedOutput } }
    if (isUnsound) return { state: 'unknown', counts: noCounts(), reason: 'unsound' }
    return { state: 'none', counts: noCounts() }
  }
  if (failure !== undefined) return { state: 'partial', counts, reason: failure }
  if (isOpen) return { state: 'partial', counts: { ...counts, output: sumOf(counts.output, estimatedOutput) } }
  // A turn whose usage does not count is missing in the sum.
  return isUnsound ? { state: 'partial', counts, reason: 'unsound' } : { state: 'exact', counts }
}

/** The tap gave up. What the request said is still known. */
export function givenUp(reason: UnknownReason, about: Pick<Circumstances, 'requestModel' | 'ttftMs'>): Usage {
  return usageOf({ state: 'unknown', counts: noCounts(), reason }, about.requestModel, about)
}

/** Nothing was said, and nothing will be. */
export function unused(about: Pick<Circumstances, 'requestModel' | 'ttftMs'>): Usage {
  return usageOf({ state: 'none', counts: noCounts() }, about.requestModel, about)
}

function judge(
  content: Content | undefined,
  found: Found | undefined,
  about: Circumstances,
  model: string | undefined,
): Verdict {
  const nothing: Verdict = { state: 'none', counts: noCounts() }
  if (content === undefined || found === undefined) {
    return about.isGarbled && about.isWhole && about.status < 400
      ? { state: 'unknown', counts: noCounts(), reason: 'malformed' }
      : nothing
  }
  const kind: Kind = content.isStream ? 'stream' : 'unary'
  if (found.counts !== undefined) {
    const isLast = found.end === 'final' || (found.end === 'counted' && about.isWhole && content.isSound)
    if (!isLast) return { state: 'partial', counts: completed(found.counts, found, about, model, kind) }
    learn(found.counts, about, model, kind)
    return { state: 'exact', counts: found.counts }
  }
  const unknown = (reason: UnknownReason): Verdict => ({ state: 'unknown', counts: noCounts(), reason })
  if (about.status >= 400) return nothing
  if (about.isWhole) {
    if (found.isUnsound) return unknown('unsound')
    if (found.isOutOfReach) return unknown('out_of_reach')
    if (!content.isSound && !content.isStream) return unknown('malformed')
  }
  const counts = found.isAnswer ? completed(noCounts(), found, about, model, kind) : noCounts()
  if (counts.output !== undefined) return { state: 'estimated', counts }
  return about.isWhole && !content.isSound ? unknown('malformed') : nothing
}

function learn(counts: Counts, about: Circumstances, model: string | undefined, kind: Kind): void {
  if (model === undefined || about.status >= 400) return
  if (counts.output !== undefined && about.learnedBytes !== undefined) {
    about.estimator.learn(kind, model, about.learnedBytes, counts.output)
  }
  if (counts.input !== undefined) about.estimator.learn('request', model, about.requestBytes, counts.input)
}

/** What the provider has not said is estimated, where something is known of the model. */
function completed(
  counts: Counts,
  found: Found,
  { estimator, outputBytes, requestBytes }: Circumstances,
  model: string | undefined,
  kind: Kind,
): Counts {
  if (model === undefined || !found.isAnswer) return counts
  return {
    ...counts,
    output: counts.output ?? estimator.tokensOf(kind, model, outputBytes),
    input: counts.input ?? (requestBytes > 0 ? estimator.tokensOf('request', model, requestBytes) : undefined),
  }
}

function usageOf(
  { state, counts, reason }: Verdict,
  model: string | undefined,
  { requestModel, ttftMs }: Pick<Circumstances, 'requestModel' | 'ttftMs'>,
): Usage {
  return {
    model,
    requestModel: requestModel === model ? undefined : requestModel,
    inputTokens: counts.input,
    cachedTokens: counts.cached,
    cacheWriteTokens: counts.cacheWrite,
    outputTokens: counts.output,
    reasoningTokens: counts.reasoning,
    costUsd: counts.costUsd,
    units: counts.units,
    tier: counts.tier,
    usage: state,
    ttftMs,
    reason,
  }
}
