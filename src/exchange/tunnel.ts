import type { FailureCode } from '../failure.ts'
import type { ResponseHead } from '../http/message.ts'
import { monotonicMs } from '../runtime/clock.ts'
import { Deadline } from '../runtime/deadline.ts'
import { withoutEchoes } from './echoes.ts'
import type { Exchange } from './exchange.ts'
import { finish } from './finish.ts'
import { responseSent } from './measure.ts'
import { breakOff } from './relay.ts'
import { dropReplay } from './retry.ts'
import { watch } from './watch.ts'

/**
 * After a 101: what either side sends goes to the other as it is, by the ways and with the back-pressure of bodies (see relay). Each
 * way ends by itself, with the FIN of its sender; the exchange is over when both have arrived.
 *
 *     open ──the client's FIN──▶ request done ──its last byte and the FIN are out──▶ request delivered
 *     open ──the upstream's FIN──▶ response done ──the same──▶ response delivered
 *
 * What breaks a side is seen by the other as a break: neither has a framing that would tell.
 */

/** The upstream has agreed to switch. The first bytes of its way may come along. False: hold back until `resumeResponse`. */
export function openTunnel(
  exchange: Exchange,
  head: ResponseHead,
  buffer: Buffer,
  start: number,
  end: number,
): boolean {
  const { downstream } = exchange
  exchange.headAtMs = monotonicMs()
  exchange.status = head.status
  exchange.requestId = head.requestId
  exchange.responseBytes += end - start
  dropReplay(exchange)
  exchange.isHeadSent = true
  exchange.isTunnel = true
  exchange.isUntilClose = true
  exchange.isRequestDone = false
  // Of a client that has half closed already: its way ends in time, behind what it has sent.
  exchange.hasClientLeft = false
  exchange.deadline?.close()
  downstream.exchangeDeadline.disarm()
  if (downstream.isGone) {
    breakOff(exchange, 'client_abort')
    return true
  }
  const mayGoOn = exchange.response.sendHead(withoutEchoes(exchange, head), false, '', buffer, start, end)
  exchange.meter?.switched(head, buffer, start, end)
  responseSent(exchange)
  watch(exchange)
  downstream.openTunnel()
  return mayGoOn
}

export function clientEnded(exchange: Exchange): void {
  exchange.isRequestDone = true
  exchange.connection?.sendEnd(() => {
    exchange.isRequestDelivered = true
    settle(exchange)
  })
}

export function upstreamEnded(exchange: Exchange): void {
  exchange.isResponseDone = true
  exchange.response.sendEnd(() => {
    exchange.isResponseDelivered = true
    settle(exchange)
  })
  // What the client sent last may have arrived before.
  settle(exchange)
}

function settle(exchange: Exchange): void {
  if (exchange.isOver || !exchange.isRequestDelivered || !exchange.isResponseDone) return
  const { connection } = exchange
  exchange.connection = undefined
  connection?.letGo()
  if (exchange.isResponseDelivered) finish(exchange, false)
  else if (connection !== undefined) waitForClient(exchange)
}

/** The upstream is through, and its clock has gone with it. */
function waitForClient(exchange: Exchange): void {
  exchange.deadline = new Deadline(
    () => breakOff(exchange, 'idle_timeout', 'client'),
    () => exchange.response.unsentBytes,
  )
  exchange.deadline.arm(exchange.upstream!.tunnelIdleTimeoutMs)
}

/** The client's connection is gone. */
export function clientGone(exchange: Exchange): void {
  if (!exchange.isRequestDone || !exchange.isResponseDelivered) {
    breakOff(exchange, 'client_abort')
    return
  }
  // It has had its end and has given its own. What it sent last is on its way, for which nobody waits.
  exchange.isRequestDelivered = true
  settle(exchange)
}

/** The upstream's connection is gone. Behind its end that means that it takes no more, and nothing is broken that it has sent. */
export function upstreamGone(exchange: Exchange, failure: FailureCode, cause: string | undefined): void {
  exchange.connection = undefined
  if (!exchange.isResponseDone) {
    breakOff(exchange, failure, cause)
    return
  }
  exchange.isRequestDelivered = true
  if (exchange.isResponseDelivered) finish(exchange, false)
  else waitForClient(exchange)
}

/** No byte has moved for the time that a tunnel has. */
export function tunnelExpired(exchange: Exchange): void {
  const isClients = exchange.response.unsentBytes > 0
  breakOff(exchange, 'idle_timeout', isClients ? 'client' : exchange.isSendBlocked ? 'upstream' : 'silence')
}
