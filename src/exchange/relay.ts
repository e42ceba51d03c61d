import type { Cause } from '../cause.ts'
import type { FailureCode } from '../failure.ts'
import type { ResponseHead } from '../http/message.ts'
import { monotonicMs } from '../runtime/clock.ts'
import { Deadline } from '../runtime/deadline.ts'
import { sendAgain } from './attempt.ts'
import { mayEcho, withoutEchoes } from './echoes.ts'
import type { Exchange } from './exchange.ts'
import { finish } from './finish.ts'
import { challengesConnection, loginOwner } from './login.ts'
import { responseSent } from './measure.ts'
import { refuse } from './refuse.ts'
import { headForClient } from './response-head.ts'
import { addToReplay, dropReplay, mayRetry } from './retry.ts'
import { takesTail } from './tail.ts'
import { watch } from './watch.ts'

/**
 * Bytes both ways, at the same time, each way held back by the other end of it. What ends a relay: both messages whole, or one
 * side broken.
 */

/**
 * How long after its client's leaving an upstream may still come to its end by itself (a client that goes right after the
 * terminal event has got all it wanted). Cancelling must have happened within 100 ms.
 */
const GRACE_MS = 50

// ---- the request's way

export function requestBytes(
  exchange: Exchange,
  before: string,
  buffer: Buffer,
  start: number,
  end: number,
  content: number,
): boolean {
  const connection = exchange.connection
  // Nobody takes it any more: the answer is out, the upstream gone.
  if (connection === undefined) return true
  // An upstream that takes no more has not got these.
  if (connection.isWriteBroken) exchange.untakenContent += content
  else exchange.requestBytes += content
  exchange.relayedBytes += before.length + end - start
  addToReplay(exchange, before, buffer, start, end)
  const mayGoOn = connection.sendBytes(before, buffer, start, end)
  exchange.meter?.request(before, buffer, start, end)
  exchange.isSendBlocked = !mayGoOn
  watch(exchange)
  return mayGoOn
}

export function upstreamDrained(exchange: Exchange): void {
  exchange.isSendBlocked = false
  if (!exchange.isRequestDone || exchange.isHeadSent) watch(exchange)
  exchange.downstream.resumeRequest()
}

export function requestEnd(exchange: Exchange): void {
  exchange.isRequestDone = true
  exchange.connection?.requestEnded?.(exchange.downstream.countedTrailers ?? '')
  if (exchange.isAnswered) return
  if (exchange.isResponseDone) complete(exchange)
  else watch(exchange)
}

export function requestFailed(exchange: Exchange, failure: FailureCode, cause?: string): void {
  if (exchange.isResponseDone) completeWithoutRest(exchange)
  else if (exchange.isHeadSent) breakOff(exchange, failure, cause)
  else refuse(exchange, failure, cause)
}

// ---- the response's way

export function interim(exchange: Exchange, head: ResponseHead): boolean {
  const mayGoOn = exchange.response.sendInterim(mayEcho(exchange) ? withoutEchoes(exchange, head) : head)
  if (head.status === 100 && !exchange.isRequestDone) {
    exchange.hasContinued = true
    watch(exchange)
  }
  return mayGoOn
}

export function responseHead(
  exchange: Exchange,
  head: ResponseHead,
  before: string,
  buffer: Buffer,
  start: number,
  end: number,
  isComplete: boolean,
  content: number,
): boolean {
  const { downstream } = exchange
  exchange.headAtMs = monotonicMs()
  exchange.status = head.status
  exchange.responseBodyLength = head.contentLengthText
  exchange.requestId = head.requestId
  exchange.responseBytes += content
  dropReplay(exchange)
  exchange.isLogin ||= challengesConnection(exchange, head)
  exchange.isUntilClose = head.framing === 'until-close'
  exchange.isRestUnwanted = isRestUnwanted(exchange, head)
  exchange.keepsClient =
    !downstream.wantsClose && !downstream.isDraining && !exchange.isUntilClose && !exchange.isRestUnwanted
  exchange.isHeadSent = true
  const mayGoOn = exchange.response.sendHead(
    headForClient(exchange, head),
    !exchange.keepsClient,
    before,
    buffer,
    start,
    end,
  )
  exchange.meter?.responseHead(head, before, buffer, start, end)
  responseSent(exchange)
  if (isComplete) responseDone(exchange)
  // Also after an answer that was whole at once: what is left of the request has the idle clock, as after any other.
  watch(exchange)
  return mayGoOn
}

/**
 * Whether a final answer ends the request though not all of it has come: the upstream will not take it, or the client waits
 * for a 100 and what it sends next may just as well be another request (RFC 9110 section 10.1.1).
 */
function isRestUnwanted(exchange: Exchange, head: ResponseHead): boolean {
  if (exchange.isRequestDone) return false
  if (head.endsConnection || exchange.connection?.isWriteBroken === true) return true
  return exchange.downstream.awaitsContinue && !exchange.hasContinued
}

export function responseBytes(
  exchange: Exchange,
  before: string,
  buffer: Buffer,
  start: number,
  end: number,
  isComplete: boolean,
  content: number,
): boolean {
  exchange.responseBytes += content
  exchange.relayedBytes += before.length + end - start
  const mayGoOn = exchange.response.sendBytes(before, buffer, start, end)
  exchange.meter?.response(before, buffer, start, end)
  if (isComplete) {
    exchange.response.responseEnded?.(exchange.connection?.countedTrailers ?? '')
    responseDone(exchange)
  }
  return mayGoOn || takesTail(exchange, end - start)
}

/** Asked by the clock of an idle exchange when it comes by, so that an event need not tell it. */
export function bytesRelayed(exchange: Exchange): number {
  return exchange.relayedBytes
}

export function responseEnd(exchange: Exchange): void {
  responseDone(exchange)
}

export function clientDrained(exchange: Exchange): void {
  watch(exchange)
  exchange.connection?.resumeResponse()
}

function responseDone(exchange: Exchange): void {
  exchange.isResponseDone = true
  exchange.isEarly = !exchange.isRequestDone
  if (exchange.isRequestDone) complete(exchange)
  else if (exchange.downstream.awaitsContinue && !exchange.hasContinued) completeWithoutRest(exchange)
}

/** The answer stands; what is left of the request is dropped. */
function completeWithoutRest(exchange: Exchange): void {
  exchange.keepsClient = false
  complete(exchange)
}

/** The response is whole: the upstream connection is free, and the exchange over when its last byte is on its way. */
function complete(exchange: Exchange): void {
  if (exchange.isCompleting) return
  exchange.isCompleting = true
  const { downstream, connection } = exchange
  exchange.connection = undefined
  if (exchange.isLogin) connection?.belongTo(downstream.owned, loginOwner(exchange))
  if (exchange.isEarly && exchange.isRequestDone) connection?.letGo()
  else connection?.release(exchange.isRequestDone)
  // A client that went after the terminal event and before our last byte had all that it wanted.
  const wasGone = downstream.isGone
  exchange.response.whenFlushed(() => {
    if (downstream.isGone && !wasGone) exchange.failure ??= 'client_abort'
    finish(exchange, exchange.keepsClient)
  })
  if (exchange.isOver) return
  // Nothing is left that has a clock of its own, not even the grace of a client that has left: its answer is whole.
  exchange.deadline?.close()
  exchange.deadline = new Deadline(
    () => breakOff(exchange, 'idle_timeout', 'client'),
    () => exchange.response.unsentBytes,
  )
  exchange.deadline.arm(exchange.upstream!.idleTimeoutMs)
}

// ---- ends before the end

export function upstreamFailed(exchange: Exchange, failure: FailureCode, anyByte: boolean, cause?: string): void {
  exchange.connection = undefined
  if (exchange.isResponseDone) {
    completeWithoutRest(exchange)
    return
  }
  if (!exchange.isHeadSent && mayRetry(exchange, failure, anyByte)) {
    sendAgain(exchange)
    return
  }
  if (exchange.isHeadSent) breakOff(exchange, failure, cause)
  else refuse(exchange, failure, cause)
}

export function upstreamExpired(exchange: Exchange): void {
  if (exchange.isResponseDone) completeWithoutRest(exchange)
  else if (exchange.isHeadSent) breakOff(exchange, 'idle_timeout', unmoved(exchange))
  else if (exchange.isRequestDone || !exchange.isSendBlocked) refuse(exchange, 'response_timeout')
  else refuse(exchange, 'idle_timeout', 'upstream')
}

/** Who has let a response stand still: what it has sent of it either waits for the client or is gone. */
function unmoved(exchange: Exchange): Cause {
  return exchange.response.unsentBytes > 0 ? 'client' : 'upstream'
}

export function exchangeExpired(exchange: Exchange): void {
  if (exchange.isHeadSent) breakOff(exchange, 'request_timeout')
  else refuse(exchange, 'request_timeout')
}

export function clientLeft(exchange: Exchange): void {
  if (exchange.isOver || exchange.hasClientLeft) return
  exchange.hasClientLeft = true
  if (exchange.isAnswered || exchange.failure !== undefined) return
  if (!exchange.isRequestDone) {
    // The request can never be whole now.
    if (exchange.isResponseDone) completeWithoutRest(exchange)
    else abandon(exchange)
    return
  }
  // Half closed, perhaps: the rest of an answer that is whole still goes to whoever reads it, and cancelling saves nothing.
  if (exchange.isResponseDone) return
  exchange.deadline?.close()
  if (!exchange.isUnsettled) exchange.path.metering.unsettled++
  exchange.isUnsettled = true
  exchange.deadline = new Deadline(() => abandon(exchange))
  exchange.deadline.arm(GRACE_MS)
  if (exchange.isHeadSent) exchange.connection?.resumeResponse()
}

/** The connection is closed whatever is going on: an answer if that is still possible, and the record at once. */
export function shutDown(exchange: Exchange): void {
  if (!exchange.isHeadSent) refuse(exchange, 'shutdown')
  if (exchange.isOver) return
  breakOff(exchange, exchange.failure ?? 'shutdown')
}

function abandon(exchange: Exchange): void {
  if (exchange.isHeadSent) breakOff(exchange, 'client_abort')
  else refuse(exchange, 'client_abort')
}

/** The response head is out, so there is no answer left to give: the client must see that its message is not whole. */
export function breakOff(exchange: Exchange, failure: FailureCode, cause?: string): void {
  if (exchange.isOver) return
  exchange.failure = failure
  if (cause !== undefined) exchange.cause = cause
  const connection = exchange.connection
  exchange.connection = undefined
  connection?.release(false)
  exchange.downstream.cut(exchange.isUntilClose)
  finish(exchange, false)
}
