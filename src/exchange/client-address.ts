import { formatAddress, includesPeer } from '../http/address.ts'
import { forwardedClient } from '../http/forwarded.ts'
import type { Exchange } from './exchange.ts'

/**
 * Whom the request comes from: the connection's client or, where that is a trusted proxy, whom its fields name. It belongs to the
 * exchange, for a proxy sends the requests of many clients on one connection. A head that was refused tells nothing.
 */
export function clientAddress({ downstream, head, snapshot }: Exchange): string | undefined {
  const trusted = snapshot.server.trustedProxies
  if (trusted === undefined || head === undefined || !includesPeer(trusted, downstream.clientIp)) {
    return downstream.clientIp
  }
  const address = forwardedClient(head, trusted)
  return address === undefined ? downstream.clientIp : formatAddress(address)
}
