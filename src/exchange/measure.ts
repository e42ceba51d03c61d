/**
 * What the metrics hear of an exchange, in the order of its life. Where nobody asked for metrics, each of these is one look at a field.
 * In between, `Exchange.counts` says that it is in flight, so that metrics may come up while it runs.
 */
import { FAILURES } from '../failure.ts'
import { add } from '../metrics/series.ts'
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
export function recorded(exchange: Exchange, apiKey: string | undefined, method: string): void {
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
}
