import { FAILURES } from '../failure.ts'
import { monotonicMs } from '../runtime/clock.ts'
import type { Exchange } from './exchange.ts'

/** Of a target that was refused, before anybody has shown a key, this much is worth a line in the log. */
const MAX_REFUSED_TARGET = 2_048

/** Writes the exchange's one record. */
export function record(exchange: Exchange): void {
  const { head, refusedHead, upstream, failure } = exchange
  // A connection that ends before a whole request line has asked for nothing.
  if (refusedHead !== undefined && !refusedHead.hasRequestLine) return
  const target = upstream?.target
  exchange.path.writeRecord(
    {
      clientIp: exchange.downstream.clientIp,
      method: head?.method ?? refusedHead!.method,
      requestUrl: head?.target ?? refusedHead!.target.slice(0, MAX_REFUSED_TARGET),
      requestBodyLength: head?.contentLengthText,
      apiKey: exchange.identity === exchange.snapshot.anonymous ? undefined : exchange.identity?.name,
      targetUrl:
        target === undefined || exchange.upstreamTarget === ''
          ? undefined
          : `${target.scheme}://${target.authority}${exchange.upstreamTarget}`,
      upstream: upstream?.name,
      durationMs: monotonicMs() - exchange.startedAtMs,
      status: exchange.status,
      responseBodyLength: exchange.responseBodyLength,
      requestBytes: exchange.requestBytes,
      responseBytes: exchange.responseBytes,
      ttfbMs: exchange.isHeadSent ? exchange.headAtMs - exchange.startedAtMs : undefined,
      outcome: failure === undefined ? 'complete' : FAILURES[failure].outcome,
      error: failure,
    },
    exchange.snapshot,
  )
}
