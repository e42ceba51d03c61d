import type { Exchange } from './exchange.ts'

/**
 * The tail of an answer whose client has half closed its connection and reads on.
 *
 * Whether the upstream has sent all of it shows only when what waits in the kernel has been read. So in the grace after the
 * client's FIN (see relay) back-pressure is lifted, within a bound: if the end is among what comes, the answer is whole in our
 * hands and goes to the client at its pace. If it is not, the upstream is still at work, and is cancelled.
 */

/** Of one exchange. Linux holds up to 6 MiB for a socket (tcp_rmem), and rarely that. */
const MAX_TAIL_BYTES = 4 * 1024 * 1024
/** Of all exchanges of the thread: whoever has a key shall not buy memory with half-closed connections. */
const MAX_TAILS_BYTES = 64 * 1024 * 1024
let tailsBytes = 0

/** Whether so many bytes more may wait for the client. */
export function takesTail(exchange: Exchange, bytes: number): boolean {
  if (!exchange.hasClientLeft || exchange.isOver) return false
  if (exchange.tailBytes + bytes > MAX_TAIL_BYTES || tailsBytes + bytes > MAX_TAILS_BYTES) return false
  exchange.tailBytes += bytes
  tailsBytes += bytes
  return true
}

/** The exchange is over: its tail is on its way, or lost. */
export function releaseTail(exchange: Exchange): void {
  tailsBytes -= exchange.tailBytes
  exchange.tailBytes = 0
}
