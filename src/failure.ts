import type { Cause } from './cause.ts'

/**
 * What can go wrong with an exchange, as a value, and THE table that says what the client is told about it.
 * Nothing else in the project chooses a status for an answer of ours, or decides whether the connection closes with it.
 */

/** Of a request record. */
export type RecordLevel = 'trace' | 'warn'

export type Side = 'client' | 'upstream' | 'gateway'

/** How an exchange ended, as the request record says it. */
export type Outcome = 'complete' | 'client_abort' | 'upstream_abort' | 'timeout' | 'refused'

interface Row {
  /** Status of our answer, if no response head is out yet. 0: no answer (the client is gone). */
  readonly status: number
  readonly side: Side
  readonly outcome: Outcome
  /** The client's connection cannot be kept: its framing is lost or it is to go away. */
  readonly close: boolean
  /** Logged as a WARN event beside the record. */
  readonly warn: boolean
  /** What a person reads in their SDK's exception. */
  readonly message: string
}

function row(status: number, side: Side, outcome: Outcome, close: boolean, message: string, warn = false): Row {
  return { status, side, outcome, close, warn, message }
}

const MALFORMED = 'The request is malformed'

export const FAILURES = {
  // The request itself.
  bad_request_line: row(
    400,
    'client',
    'refused',
    true,
    `${MALFORMED}: its request line is not "METHOD /path HTTP/1.1".`,
  ),
  tls_on_plain_port: row(
    400,
    'client',
    'refused',
    true,
    'This port speaks plain HTTP: use http:// in the URL, or give the gateway a certificate (server.tls).',
  ),
  plain_on_tls_port: row(400, 'client', 'refused', true, 'This port speaks TLS: use https:// in the URL.'),
  unexpected_proxy_header: row(
    400,
    'client',
    'refused',
    true,
    'No PROXY header is expected from this peer: name it in server.proxy_protocol, or switch the header off there.',
  ),
  bad_target: row(
    400,
    'client',
    'refused',
    true,
    `${MALFORMED}: its target must be a path or an absolute http(s) URL of visible ASCII, without fragment or dot segments.`,
  ),
  bad_field: row(400, 'client', 'refused', true, `${MALFORMED}: a header line breaks the rules of RFC 9112.`),
  bad_host: row(400, 'client', 'refused', true, `${MALFORMED}: it needs exactly one valid Host field.`),
  bad_framing: row(
    400,
    'client',
    'refused',
    true,
    `${MALFORMED}: Content-Length and Transfer-Encoding do not say where it ends.`,
    true,
  ),
  bad_connection: row(
    400,
    'client',
    'refused',
    true,
    `${MALFORMED}: Connection must not nominate framing, Host or credential fields.`,
    true,
  ),
  bad_chunk: row(400, 'client', 'refused', true, `${MALFORMED}: its chunked body breaks the rules of RFC 9112.`, true),
  bad_transfer_coding: row(
    501,
    'client',
    'refused',
    true,
    'The only transfer coding understood here is a single "chunked".',
    true,
  ),
  method_not_implemented: row(501, 'client', 'refused', true, 'CONNECT and TRACE are not implemented.'),
  upgrade_not_implemented: row(
    501,
    'client',
    'refused',
    false,
    'WebSocket is not switched on for this path: its upstream needs "websocket: true".',
  ),
  bad_upgrade: row(400, 'client', 'refused', true, `${MALFORMED}: a WebSocket upgrade must be a GET without content.`),
  target_too_long: row(414, 'client', 'refused', true, 'The request target is longer than 32 KiB.'),
  head_too_large: row(
    431,
    'client',
    'refused',
    true,
    'The request head is larger than 64 KiB or has more than 256 header lines.',
  ),
  version_not_supported: row(
    505,
    'client',
    'refused',
    true,
    'Only HTTP/1.1 and HTTP/2 are spoken here. An nginx in front needs "proxy_http_version 1.1".',
  ),
  expectation_failed: row(417, 'client', 'refused', true, 'The only expectation understood here is 100-continue.'),
  head_timeout: row(408, 'client', 'timeout', true, 'The request head did not arrive in time.'),
  body_timeout: row(408, 'client', 'timeout', true, 'The request body stopped arriving.'),
  client_abort: row(0, 'client', 'client_abort', true, 'The client went away.'),

  // The door.
  unauthorized: row(401, 'client', 'refused', false, 'A valid gateway key is required.'),
  key_in_target: row(
    400,
    'client',
    'refused',
    true,
    'The gateway key stands in the request target, or in the method or a framing header, where it cannot be taken out.',
  ),
  no_route: row(404, 'client', 'refused', false, 'No upstream is configured for this path.'),
  not_configured: row(503, 'gateway', 'refused', false, 'The gateway has no valid configuration yet.'),
  no_upstream: row(503, 'gateway', 'refused', false, 'No upstream is configured.'),
  max_connections: row(
    503,
    'gateway',
    'refused',
    true,
    'The gateway has reached its connection limit. Try again in a moment.',
  ),

  // The upstream.
  dns: row(502, 'upstream', 'upstream_abort', false, "The upstream's host name could not be resolved."),
  connect_refused: row(502, 'upstream', 'upstream_abort', false, 'The upstream refused the connection.'),
  connect_failed: row(502, 'upstream', 'upstream_abort', false, 'The upstream could not be reached.'),
  emfile: row(503, 'gateway', 'upstream_abort', false, 'The gateway has run out of file descriptors.', true),
  connect_timeout: row(504, 'upstream', 'timeout', false, 'Connecting to the upstream took too long.'),
  tls: row(502, 'upstream', 'upstream_abort', false, 'TLS with the upstream failed.'),
  tls_verify: row(502, 'upstream', 'upstream_abort', false, "The upstream's certificate could not be verified."),
  proxy_unreachable: row(
    502,
    'upstream',
    'upstream_abort',
    false,
    'The proxy that leads to the upstream could not be reached.',
  ),
  proxy_refused: row(
    502,
    'upstream',
    'upstream_abort',
    false,
    'The proxy that leads to the upstream did not connect to it.',
  ),
  proxy_auth: row(
    502,
    'upstream',
    'upstream_abort',
    false,
    'The proxy that leads to the upstream requires a valid login.',
  ),
  upstream_reset: row(
    502,
    'upstream',
    'upstream_abort',
    false,
    'The upstream closed the connection before it answered.',
  ),
  reused_conn_lost: row(
    502,
    'upstream',
    'upstream_abort',
    false,
    'The upstream closed a kept-alive connection while the request was sent; it was not sent again.',
  ),
  stream_refused: row(
    502,
    'upstream',
    'upstream_abort',
    false,
    'The upstream took no more requests on its connection, and had not looked at this one.',
  ),
  upstream_protocol: row(502, 'upstream', 'upstream_abort', false, 'The upstream did not answer in valid HTTP.'),
  upstream_truncated: row(
    502,
    'upstream',
    'upstream_abort',
    true,
    'The upstream broke off in the middle of its answer.',
  ),
  response_timeout: row(504, 'upstream', 'timeout', false, 'The upstream did not answer in time.'),
  request_timeout: row(504, 'upstream', 'timeout', false, 'The exchange took longer than request_timeout_ms allows.'),
  idle_timeout: row(504, 'upstream', 'timeout', true, 'No byte could be moved for too long.'),

  // Us.
  shutdown: row(503, 'gateway', 'timeout', true, 'The gateway is shutting down.'),
  internal: row(
    500,
    'gateway',
    'refused',
    true,
    'The gateway failed to handle this request. This is a bug of the gateway.',
  ),
} as const satisfies Record<string, Row>

export type FailureCode = keyof typeof FAILURES

/** Why nothing moves, where that is not the upstream's doing. */
const NOT_OF_THE_UPSTREAM: ReadonlySet<string | undefined> = new Set(['client', 'silence'] satisfies Cause[])

/**
 * The level of an exchange's record, and the one place that says so. WARN is what somebody has to look at: the upstream's side
 * failed, or the gateway's own, whether that became an answer of ours or broke off the upstream's. TRACE is everything else, also
 * what clients do wrong: with records off it leaves no line.
 */
export function recordLevel(failure: FailureCode | undefined, cause: string | undefined): RecordLevel {
  if (failure === undefined || FAILURES[failure].side === 'client') return 'trace'
  // The one clock that runs for both sides.
  return failure === 'idle_timeout' && NOT_OF_THE_UPSTREAM.has(cause) ? 'trace' : 'warn'
}

/** `error.type` in the vocabulary of Anthropic's API, which OpenAI's clients print as well. */
export function errorType(status: number): string {
  switch (status) {
    case 401:
      return 'authentication_error'
    case 404:
      return 'not_found_error'
    case 408:
    case 504:
      return 'timeout_error'
    case 503:
      return 'overloaded_error'
    default:
      return status >= 500 ? 'api_error' : 'invalid_request_error'
  }
}
