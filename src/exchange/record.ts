import { credentialOf } from '../access/credential.ts'
import { maskKey } from '../access/strays.ts'
import { FAILURES } from '../failure.ts'
import { isCredentialField } from '../http/fields.ts'
import { monotonicMs } from '../runtime/clock.ts'
import type { Exchange } from './exchange.ts'

/** Writes the exchange's one record. */
export function record(exchange: Exchange): void {
  const { head, refusedHead, upstream, failure } = exchange
  // A connection that ends before a whole request line has asked for nothing.
  if (refusedHead !== undefined && !refusedHead.hasRequestLine) return
  const target = upstream?.target
  exchange.path.writeRecord(
    {
      clientIp: exchange.downstream.clientIp,
      method: shown(exchange, head?.method ?? refusedHead!.method),
      requestUrl: shown(exchange, head?.target ?? refusedHead!.target),
      requestBodyLength: head?.contentLengthText && shown(exchange, head.contentLengthText),
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

/** What was refused because the key stands in it must not bring the key into the log. */
function shown(exchange: Exchange, text: string): string {
  if (exchange.failure !== 'key_in_target') return text
  const head = exchange.head!
  let masked = text
  for (const line of head.lines) {
    if (isCredentialField(line.field)) masked = maskKey(masked, credentialOf(head.text, line))
  }
  return masked
}
