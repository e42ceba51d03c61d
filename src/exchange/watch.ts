import type { Exchange } from './exchange.ts'

/**
 * Sees to it that the one clock runs that counts in this state, and starts it over: called wherever the state may have changed
 * or bytes have moved, but for those of a response: the idle clock asks for their count itself (`bytesRelayed`).
 *
 *     response begun                          idle       idle_timeout (a tunnel has its own)
 *     request whole, or waiting for a 100     response   response_timeout
 *     upload that the upstream does not take  idle       idle_timeout
 *     upload otherwise                        body       body_timeout of the client
 */
export function watch(exchange: Exchange): void {
  const { connection, downstream } = exchange
  if (connection === undefined) return
  const clock = clockOf(exchange)
  if (clock === exchange.clock) {
    if (clock === 'body') downstream.bodyDeadline.touch()
    // Interim responses do not count: the wait for an answer has begun once and for all.
    else if (clock === 'idle') connection.deadline.touch()
    return
  }
  if (exchange.clock === 'body') downstream.bodyDeadline.disarm()
  exchange.clock = clock
  if (clock === 'body') {
    connection.deadline.disarm()
    downstream.bodyDeadline.arm(exchange.snapshot.server.bodyTimeoutMs)
  } else {
    const { idleTimeoutMs, responseTimeoutMs, tunnelIdleTimeoutMs } = exchange.upstream!
    const idleMs = exchange.isTunnel ? tunnelIdleTimeoutMs : idleTimeoutMs
    connection.deadline.arm(clock === 'idle' ? idleMs : responseTimeoutMs)
  }
}

/** The client is not waited for at the moment. */
export function stopBodyClock(exchange: Exchange): void {
  if (exchange.clock === 'body') exchange.downstream.bodyDeadline.disarm()
  exchange.clock = 'none'
}

function clockOf(exchange: Exchange): 'body' | 'response' | 'idle' {
  if (exchange.isHeadSent) return 'idle'
  if (exchange.isRequestDone) return 'response'
  if (exchange.isSendBlocked) return 'idle'
  return exchange.downstream.awaitsContinue && !exchange.hasContinued ? 'response' : 'body'
}
