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

/** WebSocket upgrades pass the door first. Where no upstream takes any, they end there, on every path. */
export function admitUpgrade({ head, snapshot }: Exchange): FailureCode | undefined {
  return head!.isWebSocketUpgrade && !snapshot.takesUpgrades ? 'upgrade_not_implemented' : undefined
}

/** One that has found its way: RFC 6455 section 4.1 has it a GET, and what came as its content could be taken for a WebSocket's. */
export function admitTunnel({ head, upstream }: Exchange): FailureCode | undefined {
  if (!head!.isWebSocketUpgrade) return undefined
  if (!upstream!.takesUpgrades) return 'upgrade_not_implemented'
  return head!.method === 'GET' && head!.framing === 'none' ? undefined : 'bad_upgrade'
}
