import type { RepeatedHead } from '../http/message.ts'
import type { UpstreamConnection } from '../http/upstream-connection.ts'
import { NO_BYTES } from '../runtime/outlet.ts'
import type { Exchange } from './exchange.ts'
import { forward } from './forward.ts'
import { loginOwner, logsConnectionIn } from './login.ts'
import { refuse } from './refuse.ts'
import { readsResponseHead } from './response-head.ts'
import { addToReplay, copyPiece, keepForReplay } from './retry.ts'
import { stopBodyClock, watch } from './watch.ts'

/**
 * Gets a connection and sends the request on it. On a warm connection all of that happens within the read that brought the
 * head, and head and first body bytes leave in one write.
 */
export function attempt(
  exchange: Exchange,
  before: string,
  buffer: Buffer,
  start: number,
  end: number,
  content: number,
): void {
  const upstream = exchange.upstream!
  const { repeated } = exchange.head!
  if (repeated === undefined) forward(exchange)
  if (upstream.requestTimeoutMs !== undefined) exchange.downstream.exchangeDeadline.arm(upstream.requestTimeoutMs)
  exchange.isLogin = logsConnectionIn(exchange)
  const owned = takeOwned(exchange)
  exchange.pool = exchange.path.pools.of(upstream)
  const taken = owned === undefined ? exchange.pool.take(upstream) : { connection: owned, isStale: true }
  if (taken !== undefined && !taken.isStale) {
    keepForReplay(exchange)
    send(exchange, taken.connection, repeated, before, buffer, start, end, content)
    return
  }
  if (repeated !== undefined) exchange.upstreamHead = repeated.text()
  exchange.held = copyPiece(before, buffer, start, end)
  exchange.heldContent = content
  if (!exchange.isRequestDone) exchange.downstream.pauseRequest()
  if (taken === undefined) connect(exchange)
  else lookBeforeUse(exchange, taken.connection)
}

/** The connection that this client has logged in; not for a request with our key, which is one credential already. */
function takeOwned(exchange: Exchange): UpstreamConnection<Exchange> | undefined {
  const { owned } = exchange.downstream
  const { endpoint, credential } = exchange.upstream!
  return owned.isEmpty || credential !== 'pass' ? undefined : owned.take(endpoint, loginOwner(exchange))
}

/** One turn of the event loop, so that a FIN that has come already is seen before a request goes its way. */
function lookBeforeUse(exchange: Exchange, connection: UpstreamConnection<Exchange>): void {
  setImmediate(() => {
    if (exchange.isOver || exchange.failure !== undefined) connection.release(true)
    else if (!connection.isUsable) connect(exchange)
    else {
      keepForReplay(exchange)
      sendHeld(exchange, connection)
    }
  })
}

/** A new connection, then the request. Nothing has left before that, so any method may go through here again. */
function connect(exchange: Exchange): void {
  const upstream = exchange.upstream!
  exchange.cancelConnect = exchange.pool!.connect(upstream, {
    trying(address) {
      exchange.upstreamAddress = address
    },
    connected(connection) {
      exchange.cancelConnect = undefined
      sendHeld(exchange, connection)
    },
    failed(failure, cause) {
      exchange.cancelConnect = undefined
      refuse(exchange, failure, cause)
    },
  })
}

/** Once more from the beginning, on a fresh connection. */
export function sendAgain(exchange: Exchange): void {
  exchange.hasRetried = true
  exchange.held = exchange.replay!.take()
  exchange.replay = undefined
  // All of it goes out again, and then what is still to come.
  exchange.heldContent = exchange.requestBytes + exchange.untakenContent
  exchange.requestBytes = 0
  exchange.untakenContent = 0
  // It is held back by us now: its silence is none of the client's.
  stopBodyClock(exchange)
  if (!exchange.isRequestDone) exchange.downstream.pauseRequest()
  connect(exchange)
}

function sendHeld(exchange: Exchange, connection: UpstreamConnection<Exchange>): void {
  const held = exchange.held ?? NO_BYTES
  exchange.held = undefined
  send(exchange, connection, undefined, '', held, 0, held.length, exchange.heldContent)
  if (exchange.connection !== undefined && !exchange.isSendBlocked) exchange.downstream.resumeRequest()
}

/** `repeated`: the head, while the buffer is there that it came in; else it is the exchange's `upstreamHead`. */
function send(
  exchange: Exchange,
  connection: UpstreamConnection<Exchange>,
  repeated: RepeatedHead | undefined,
  before: string,
  buffer: Buffer,
  start: number,
  end: number,
  content: number,
): void {
  exchange.connection = connection
  exchange.upstreamAddress = connection.address
  stopBodyClock(exchange)
  connection.begin(exchange, readsResponseHead(exchange), exchange.head!.isWebSocketUpgrade)
  addToReplay(exchange, before, buffer, start, end)
  exchange.requestBytes += content
  const { method } = exchange.head!
  const mayGoOn =
    repeated !== undefined && before === ''
      ? connection.sendRepeatedHead(repeated, method, end - start)
      : connection.sendHead(repeated?.text() ?? exchange.upstreamHead, method, before, buffer, start, end)
  // Both ways: after a retry it still says how the connection before it was.
  exchange.isSendBlocked = !mayGoOn && !exchange.isRequestDone
  if (exchange.isSendBlocked) exchange.downstream.pauseRequest()
  watch(exchange)
}
