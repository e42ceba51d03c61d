import type { FailureCode } from '../failure.ts'
import type { Exchange } from './exchange.ts'

/** What is refused before anybody asks for a key. */
export function admit(exchange: Exchange): FailureCode | undefined {
  if (exchange.downstream.isOverLimit) return 'max_connections'
  if (exchange.downstream.tls?.isMissing) return 'plain_on_tls_port'
  if (exchange.refusedHead !== undefined) {
    exchange.cause = exchange.refusedHead.cause
    return exchange.refusedHead.failure
  }
  if (exchange.snapshot.isDefault) return 'not_configured'
  if (exchange.head!.hasUnknownExpectation) return 'expectation_failed'
  return undefined
}

/** WebSocket upgrades pass the door first, and end there in this version, on every path. */
export function admitUpgrade(exchange: Exchange): FailureCode | undefined {
  return exchange.head!.isWebSocketUpgrade ? 'upgrade_not_implemented' : undefined
}
