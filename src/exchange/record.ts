import { isCause } from '../cause.ts'
import { FAILURES, recordLevel } from '../failure.ts'
import { isRegistered } from '../http/method.ts'
import type { Usage } from '../llm/usage.ts'
import type { RequestRecord } from '../observe/record.ts'
import { memoOf } from './clearance.ts'
import { clientAddress } from './client-address.ts'
import type { Exchange } from './exchange.ts'
import { recorded } from './measure.ts'
import { settleMeter } from './meter.ts'
import { shownModel } from './shown-model.ts'

const MASK = '***'

/** Leaves the exchange's one record, once it is known what it has used. */
export function record(exchange: Exchange): void {
  const { path, snapshot } = exchange
  const method = shownMethod(exchange)
  const apiKey = exchange.identity === snapshot.anonymous ? undefined : exchange.identity?.name
  // Before anything else happens to its connection, which the next request may have at once.
  const entry = entryOf(exchange, method, apiKey)
  if (entry === undefined) return
  settleMeter(exchange, (usage) => {
    const shown = shownUsage(exchange, usage)
    entry.usage = shown
    path.writeRecord(entry, snapshot)
    recorded(exchange, apiKey, method, shown)
  })
}

function entryOf(exchange: Exchange, method: string, apiKey: string | undefined): RequestRecord | undefined {
  const { head, refusedHead, upstream, failure } = exchange
  // A connection that ends before a whole request line has asked for nothing. One that begins with TLS has, and its client shows
  // an error of its own in the place of our answer: without a record nobody would know.
  if (refusedHead !== undefined && !refusedHead.hasRequestLine && failure !== 'tls_on_plain_port') return undefined
  const clientIp = clientAddress(exchange)
  const { peerIp } = exchange.downstream
  return {
    level: recordLevel(failure, exchange.cause),
    clientIp,
    peerIp: peerIp === clientIp ? undefined : peerIp,
    method,
    requestUrl: shownTarget(exchange),
    requestBodyLength: failure === 'key_in_target' ? undefined : head?.contentLengthText,
    apiKey,
    subject: exchange.identity?.subject,
    clientCertificate: exchange.downstream.tls?.subject,
    targetUrl: shownTargetUrl(exchange),
    upstream: upstream?.name,
    endedAtMs: exchange.endedAtMs,
    durationMs: exchange.endedAtMs - exchange.startedAtMs,
    status: exchange.status,
    responseBodyLength: exchange.responseBodyLength,
    requestBytes: exchange.requestBytes,
    responseBytes: exchange.responseBytes,
    ttfbMs: exchange.isHeadSent ? exchange.headAtMs - exchange.startedAtMs : undefined,
    outcome: failure === undefined ? 'complete' : FAILURES[failure].outcome,
    error: failure,
    upstreamAddress: exchange.upstreamAddress,
    requestId: shownId(exchange),
    cause: shownCause(exchange),
    memo: memoOf(exchange),
    usage: undefined,
  }
}

function shownTargetUrl({ upstream, upstreamTarget }: Exchange): string | undefined {
  if (upstream === undefined || upstreamTarget === '') return undefined
  const { scheme, authority } = upstream.target
  return `${scheme}://${authority}${upstreamTarget}`
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

/** An upstream that echoes what it got must not bring the provider's key into the log. */
function shownId({ requestId, upstream }: Exchange): string | undefined {
  const key = upstream?.apiKey
  return requestId !== undefined && key && requestId.includes(key) ? undefined : requestId
}

/** A retry may have made good what had a cause. */
function shownCause({ failure, cause }: Exchange): string | undefined {
  return failure !== undefined && cause !== undefined && isCause(cause) ? cause : undefined
}

/** With what it costs. Whoever looks for a price may tell of the model that has none. */
function shownUsage(exchange: Exchange, usage: Usage | undefined): Usage | undefined {
  if (usage === undefined) return undefined
  const { path, upstream, meter } = exchange
  const { model, requestModel } = usage
  const [shown, shownRequested] = [shownModel(exchange, model), shownModel(exchange, requestModel)]
  const masked =
    shown === model && shownRequested === requestModel
      ? usage
      : { ...usage, model: shown, requestModel: shownRequested }
  const costOf = (used: Usage): string | undefined => path.metering.costOf(used, upstream!)
  const costUsd = meter?.costOfTurns(masked, costOf) ?? usage.costUsd ?? costOf(masked)
  return costUsd === usage.costUsd ? masked : { ...masked, costUsd }
}
