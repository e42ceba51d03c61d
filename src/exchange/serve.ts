import type { FailureCode } from '../failure.ts'
import { type Downstream, type DownstreamEvents, isRefused, type RefusedHead } from '../http/downstream.ts'
import type { RequestHead } from '../http/message.ts'
import type { UpstreamEvents } from '../http/upstream-connection.ts'
import { admit, admitTunnel, admitUpgrade } from './admit.ts'
import { answer } from './answer.ts'
import { attempt } from './attempt.ts'
import { authenticate } from './authenticate.ts'
import { repeatDecision } from './clearance.ts'
import { preflightAnswer } from './cors.ts'
import { Exchange, type Path } from './exchange.ts'
import { refuse } from './refuse.ts'
import * as relay from './relay.ts'
import { route } from './route.ts'
import * as tunnel from './tunnel.ts'

/**
 * The path of a request, in order:
 *
 *     admit ▸ authenticate ▸ route ▸ attempt ▸ relay        what goes well (after a 101: tunnel)
 *       │└────────┴───────────┴────────┴──▸ refuse          an answer of ours
 *       └─▸ preflightAnswer ▸ answer           └─▸ finish   the one exit, with the one record
 *
 * A head that repeats one that was let through on its connection goes from repeatDecision to attempt.
 */
function serve(exchange: Exchange, before: string, buffer: Buffer, start: number, end: number, content: number): void {
  if (exchange.head?.repeated !== undefined) {
    repeatDecision(exchange)
    attempt(exchange, before, buffer, start, end, content)
    return
  }
  const refusal = admit(exchange)
  const preflight = refusal === undefined ? preflightAnswer(exchange) : undefined
  if (preflight !== undefined) {
    answer(exchange, preflight, false)
    return
  }
  const failure: FailureCode | undefined =
    refusal ?? authenticate(exchange) ?? admitUpgrade(exchange) ?? route(exchange) ?? admitTunnel(exchange)
  if (failure === undefined) attempt(exchange, before, buffer, start, end, content)
  else refuse(exchange, failure)
}

/** What the client's side tells the path. */
export function downstreamEvents(path: Path): DownstreamEvents<Exchange> {
  return {
    open(downstream: Downstream<Exchange>, head: RequestHead | RefusedHead, headBeganMs: number | undefined) {
      // A repeated head was judged by what is in force.
      if (path.catchUp !== undefined && (isRefused(head) || head.repeated === undefined)) path.catchUp()
      return new Exchange(path, downstream, head, headBeganMs)
    },
    serve,
    requestBytes: relay.requestBytes,
    requestEnd: (exchange) => (exchange.isTunnel ? tunnel.clientEnded(exchange) : relay.requestEnd(exchange)),
    requestFailed: relay.requestFailed,
    shutDown: relay.shutDown,
    clientLeft: (exchange) => (exchange.isTunnel ? tunnel.clientGone(exchange) : relay.clientLeft(exchange)),
    clientDrained: relay.clientDrained,
    exchangeExpired: relay.exchangeExpired,
    bug(exchange: Exchange | undefined, _downstream: Downstream<Exchange> | undefined, error: unknown) {
      path.reportBug(error)
      if (exchange !== undefined) endAfterBug(exchange)
    },
  }
}

/** The request pays for a bug of ours, nobody else: 500 if its head is not out yet, else a visible break. */
function endAfterBug(exchange: Exchange): void {
  if (exchange.isHeadSent) relay.breakOff(exchange, 'internal')
  else refuse(exchange, 'internal')
}

/** What the upstream's side tells the path. */
export function upstreamEvents(reportBug: Path['reportBug']): UpstreamEvents<Exchange> {
  return {
    interim: relay.interim,
    responseHead: relay.responseHead,
    switched: tunnel.openTunnel,
    responseBytes: relay.responseBytes,
    responseEnd: (exchange) => (exchange.isTunnel ? tunnel.upstreamEnded(exchange) : relay.responseEnd(exchange)),
    upstreamFailed(exchange, failure, anyByte, cause) {
      if (exchange.isTunnel) tunnel.upstreamGone(exchange, failure, cause)
      else relay.upstreamFailed(exchange, failure, anyByte, cause)
    },
    upstreamDrained: relay.upstreamDrained,
    upstreamExpired: (exchange) =>
      exchange.isTunnel ? tunnel.tunnelExpired(exchange) : relay.upstreamExpired(exchange),
    bytesRelayed: relay.bytesRelayed,
    bug(exchange: Exchange | undefined, error: unknown) {
      reportBug(error)
      if (exchange !== undefined) endAfterBug(exchange)
    },
  }
}
