import { FAILURES } from '../failure.ts'
import { isRegistered } from '../http/method.ts'
import { monotonicMs } from '../runtime/clock.ts'
import { clientAddress } from './client-address.ts'
import type { Exchange } from './exchange.ts'

const MASK = '***'

/** Writes the exchange's one record. */
export function record(exchange: Exchange): void {
  const { head, refusedHead, upstream, failure } = exchange
  // A connection that ends before a whole request line has asked for nothing.
  if (refusedHead !== undefined && !refusedHead.hasRequestLine) return
  const target = upstream?.target
  const clientIp = clientAddress(exchange)
  const { peerIp } = exchange.downstream
  exchange.path.writeRecord(
    {
      clientIp,
      peerIp: peerIp === clientIp ? undefined : peerIp,
      method: shownMethod(exchange),
      requestUrl: shownTarget(exchange),
      requestBodyLength: failure === 'key_in_target' ? undefined : head?.contentLengthText,
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

/**
 * What was refused because the key stands in it must not bring the key into the log, in whatever disguise it was found: nothing of
 * it is shown.
 */
function shownTarget(exchange: Exchange): string {
  return exchange.failure === 'key_in_target' ? MASK : (exchange.head?.target ?? exchange.refusedHead!.target)
}

function shownMethod(exchange: Exchange): string {
  const method = exchange.head?.method ?? exchange.refusedHead!.method
  return exchange.failure === 'key_in_target' && !isRegistered(method) ? MASK : method
}
