import type { Upstream, Version } from '../config/snapshot.ts'
import { joinCookies } from '../http/cookies.ts'
import type { RepeatedHead } from '../http/message.ts'
import type { UpstreamConnection } from '../http/upstream-connection.ts'
import { NO_BYTES } from '../runtime/outlet.ts'
import type { Waiter } from '../upstream/connect.ts'
import type { Pool } from '../upstream/pool.ts'
import type { Exchange } from './exchange.ts'
import { forward } from './forward.ts'
import { loginOwner, logsConnectionIn } from './login.ts'
import { connectEnded, connecting, requestSent, routed } from './measure.ts'
import { startMeter } from './meter.ts'
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
  routed(exchange)
  if (repeated === undefined) forward(exchange)
  startMeter(exchange, before, buffer, start, end)
  if (upstream.requestTimeoutMs !== undefined) exchange.downstream.exchangeDeadline.arm(upstream.requestTimeoutMs)
  exchange.isLogin = logsConnectionIn(exchange)
  const owned = takeOwned(exchange)
  exchange.pool = exchange.path.pools.of(upstream)
  exchange.version = versionOf(exchange, upstream)
  const taken = owned === undefined ? take(exchange, exchange.pool, upstream) : { connection: owned, isStale: true }
  if (taken !== undefined && !taken.isStale) {
    keepForReplay(exchange, taken.connection.isHttp2)
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

/** A WebSocket has HTTP/1.1 below it, whatever the upstream speaks otherwise. */
function versionOf({ downstream, head }: Exchange, { versions }: Upstream): Version {
  if (downstream.isHttp2) return versions.forHttp2
  return head!.isWebSocketUpgrade ? 'http1' : versions.forHttp1
}

function take(
  { version }: Exchange,
  pool: Pool<Exchange>,
  upstream: Upstream,
): { readonly connection: UpstreamConnection<Exchange>; readonly isStale: boolean } | undefined {
  return version === 'http1' ? pool.take(upstream) : pool.takeOver(upstream, version)
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
    else if (!connection.isUsable) {
      // Of a connection for many exchanges it is a place, which is taken until it is given back.
      connection.close()
      connect(exchange)
    } else {
      keepForReplay(exchange, connection.isHttp2)
      sendHeld(exchange, connection)
    }
  })
}

/** A new connection, then the request. Nothing has left before that, so any method may go through here again. */
function connect(exchange: Exchange): void {
  const upstream = exchange.upstream!
  const { version } = exchange
  const pool = exchange.pool!
  connecting(exchange)
  const waiter: Waiter<Exchange> = {
    trying(address) {
      exchange.upstreamAddress = address
    },
    connected(connection) {
      connectEnded(exchange)
      exchange.cancelConnect = undefined
      if (connection.isHttp2 && !exchange.hasRetried) keepForReplay(exchange, connection.isHttp2)
      sendHeld(exchange, connection)
    },
    failed(failure, cause) {
      exchange.cancelConnect = undefined
      refuse(exchange, failure, cause)
    },
  }
  exchange.cancelConnect =
    version === 'http1' ? pool.connect(upstream, waiter) : pool.connectOver(upstream, version, waiter)
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
  const { isHttp2 } = exchange.downstream
  connection.begin(exchange, readsResponseHead(exchange), exchange.head!.isWebSocketUpgrade, isHttp2)
  addToReplay(exchange, before, buffer, start, end)
  exchange.requestBytes += content
  const { method } = exchange.head!
  const mayGoOn =
    repeated !== undefined && before === ''
      ? connection.sendRepeatedHead(repeated, method, end - start)
      : connection.sendHead(headFor(exchange, connection, repeated), method, before, buffer, start, end)
  if (exchange.isRequestDone) connection.requestEnded?.(exchange.downstream.countedTrailers ?? '')
  requestSent(exchange)
  // Both ways: after a retry it still says how the connection before it was.
  exchange.isSendBlocked = !mayGoOn && !exchange.isRequestDone
  if (exchange.isSendBlocked) exchange.downstream.pauseRequest()
  watch(exchange)
}

/** Cookies that came in crumbs, as HTTP/2 may have them, are one line for HTTP/1 (RFC 9113 section 8.2.3). */
function headFor(
  exchange: Exchange,
  connection: UpstreamConnection<Exchange>,
  repeated: RepeatedHead | undefined,
): string {
  const head = repeated?.text() ?? exchange.upstreamHead
  return exchange.downstream.isHttp2 && !connection.isHttp2 ? joinCookies(head) : head
}
