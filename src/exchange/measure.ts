/**
 * What the metrics hear of an exchange, in the order of its life. Where nobody asked for metrics, each of these is one look at a field.
 * In between, `Exchange.counts` says that it is in flight, so that metrics may come up while it runs.
 */
import { FAILURES } from '../failure.ts'
import type { Usage } from '../llm/usage.ts'
import { add } from '../metrics/series.ts'
import { type Tokens, tokensWithout } from '../metrics/usage-counts.ts'
import { monotonicMs } from '../runtime/clock.ts'
import type { Exchange } from './exchange.ts'

/** It has an upstream. */
export function routed(exchange: Exchange): void {
  const { traffic } = exchange.path
  if (traffic === undefined) return
  exchange.counts = traffic.upstream(exchange.upstream!.name)
  add(exchange.counts.inFlight, 1)
}

/** It waits for a connection, which is none of the gateway's time. */
export function connecting(exchange: Exchange): void {
  if (exchange.counts !== undefined) exchange.connectingAtMs = monotonicMs()
}

/** It has one. */
export function connectEnded(exchange: Exchange): void {
  if (exchange.connectingAtMs === 0) return
  exchange.connectMs += monotonicMs() - exchange.connectingAtMs
  exchange.connectingAtMs = 0
}

/** Its head is out to the upstream. */
export function requestSent(exchange: Exchange): void {
  if (exchange.counts === undefined || exchange.hasReached) return
  exchange.hasReached = true
  exchange.path.traffic!.requestSent(monotonicMs() - exchange.headReadMs - exchange.connectMs)
}

/** The head of its response is out to the client. */
export function responseSent(exchange: Exchange): void {
  if (exchange.counts === undefined) return
  // A write may have ended it, and then nobody would count it out.
  if (!exchange.isOver) {
    exchange.isStreaming = true
    add(exchange.counts.streams, 1)
  }
  exchange.path.traffic!.responseSent(monotonicMs() - exchange.headAtMs)
}

/** It is over, and does not count as running any more. */
export function leftFlight({ counts, isStreaming }: Exchange): void {
  if (counts === undefined) return
  add(counts.inFlight, -1)
  if (isStreaming) add(counts.streams, -1)
}

/** It leaves a record, and so it is counted. */
export function recorded(
  exchange: Exchange,
  apiKey: string | undefined,
  method: string,
  usage: Usage | undefined,
): void {
  const { path, failure, status, upstream, isAnswered, isHeadSent } = exchange
  const { traffic } = path
  if (traffic === undefined) return
  traffic.ended(exchange.counts ?? traffic.upstream(upstream?.name ?? ''), {
    apiKey: apiKey ?? '',
    method,
    status,
    outcome: failure === undefined ? 'complete' : FAILURES[failure].outcome,
    failure,
    isAnswered,
    upstreamStatus: isHeadSent ? status : undefined,
    durationMs: exchange.endedAtMs - exchange.startedAtMs,
    ttfbMs: isHeadSent ? exchange.headAtMs - exchange.startedAtMs : undefined,
    requestBytes: exchange.requestBytes,
    responseBytes: exchange.responseBytes,
    hasRetried: exchange.hasRetried,
  })
  if (usage !== undefined) used(exchange, apiKey ?? '', usage)
}

function used({ path, upstream, startedAtMs, endedAtMs, meter }: Exchange, apiKey: string, usage: Usage): void {
  const { ttftMs } = usage
  const streamedMs = ttftMs === undefined ? undefined : endedAtMs - startedAtMs - ttftMs
  const rest = meter?.counted === undefined ? usage : tokensWithout(usage, meter.counted)
  path.traffic!.usage.ended(upstream!.name, apiKey, { ...usage, ...rest, streamedMs })
}

/** A turn of a tunnel, which may last for hours: its tokens are counted at once. */
export function turned(exchange: Exchange, model: string | undefined, counts: Tokens): void {
  const { path, upstream, snapshot, identity } = exchange
  const apiKey = identity === snapshot.anonymous ? '' : (identity?.name ?? '')
  path.traffic?.usage.tokens(upstream!.name, apiKey, model, counts)
}
