/**
 * Why an exchange failed, in a word, for the log: narrower than its failure code, and never told to the client. The words are
 * fixed, so that no peer's bytes can be one. Beside them stand the names that the system, Node and OpenSSL give to errors, and a
 * proxy's status: see `isCause`.
 */
export const CAUSES = {
  // The door: `unauthorized`.
  no_key:
    'No credential field has a credential in it; an `Authorization` of another scheme than `Bearer` has none (`unauthorized`).',
  unknown_key: 'What the request shows is no key of the configuration.',
  two_keys:
    'The request shows keys of different identities, more than four of one, or more than 16 different credentials.',
  two_authorizations: 'The request has two `Authorization` lines.',
  no_upstreams: 'The key is right, and no upstream is open to it.',
  too_long: 'The token is longer than 16 KiB.',
  malformed: 'The token is no well-formed JWT.',
  algorithm: "The token's `alg` is none that is taken.",
  typ: "The token's `typ` is not `JWT`.",
  critical: 'The token has `crit` or `zip` in its header.',
  kid: "The token's `kid` is missing, or names no key of the configuration.",
  signature: "The token's signature is wrong.",
  bad_claims:
    'The token is signed, but its header or its claims are no JSON object, say something twice, nest too deep, or have a time that is no number.',
  issuer: "The token's `iss` is none of `issuer`.",
  audience: "The token's `aud` is none of `audience`, and has none of them in it.",
  no_expiry: 'The token has no `exp`, and `require_exp` is set.',
  not_yet: "The token's `nbf` is still to come.",
  expired: "The token's `exp` is over.",

  // A message, of either side: `bad_field`, `bad_framing`, `bad_host`, `bad_connection`, `bad_chunk`; `upstream_protocol`,
  // `upstream_truncated`.
  line_end: 'A line of the head does not end with CR LF, or has a bare CR in it.',
  folding: 'A field line begins with a blank: it goes on with the line before it, which nobody may send any more.',
  field_name: 'A field line has no colon, or what stands before it is no name: a blank, for instance.',
  field_value: 'A control character stands in a field value.',
  content_length: '`Content-Length` is no number, or is there twice.',
  transfer_encoding: '`Transfer-Encoding` is not one single `chunked`, or stands where it may not.',
  two_framings: '`Content-Length` and `Transfer-Encoding` are both there.',
  underscore: '`Content_Length` or `Transfer_Encoding`, which some servers take for the field with the hyphen.',
  chunk: 'The size of a chunk is malformed, or its data does not end where its size says.',
  chunk_extension: 'A chunk extension is malformed or too long.',
  trailer: 'The trailer section is malformed or over 16 KiB.',

  // A request.
  no_host: 'There is no `Host` field.',
  two_hosts: 'There is more than one `Host` field.',
  host: 'The value of `Host` is no host.',
  authority: 'The target and `Host` name different hosts.',
  nominates_host: '`Connection` nominates `Host`.',
  nominates_framing: '`Connection` nominates `Content-Length` or `Transfer-Encoding`.',
  nominates_credential: '`Connection` nominates a credential field.',
  pseudo_header: 'HTTP/2: a pseudo-header field is missing, unknown, there twice, malformed, or stands behind a field.',
  connection_field: 'HTTP/2: a field stands there that only an HTTP/1 connection has, or `te` is not `trailers`.',

  // What an upstream said: `upstream_protocol`.
  version: 'It does not begin with `HTTP/1.0` or `HTTP/1.1`.',
  status: 'The status is not three digits from 100 to 599.',
  reason: 'A control character stands in the reason phrase.',
  head_too_large: 'The head is over 64 KiB.',
  interim: 'More than 32 interim responses came before the final one.',
  upgrade: 'It switched protocols (101), which nobody had asked for, or to another one than WebSocket.',
  protocol_error: 'HTTP/2: it broke the rules of the connection.',
  alpn: 'It does not speak HTTP/2, which `protocol` asks for: ALPN has not agreed on it.',
  stream_reset: 'HTTP/2: it reset the stream.',
  refused_stream: 'HTTP/2: it refused the stream, without having looked at the request.',
  goaway: 'HTTP/2: it closes the connection, without having looked at the request.',
  window: 'HTTP/2: it allowed a stream more than any window can be, or nothing.',
  surplus: 'Bytes came behind the end of an answer that has both framings.',

  // A proxy: `proxy_refused`.
  proxy_answer: 'The proxy before the upstream did not answer in HTTP.',

  // What did not go on: `upstream_reset`, `upstream_truncated`, `reused_conn_lost`; `idle_timeout`.
  closed: 'The upstream (or the proxy before it) closed the connection, properly as far as TCP goes.',
  client: 'The client did not take what was sent to it.',
  silence: 'Nothing was sent by either side of a tunnel.',
  upstream: 'The upstream did not move: it took nothing of the request, or sent nothing more of its answer.',
} as const

export type Cause = keyof typeof CAUSES

/** `ECONNRESET`, `CERT_HAS_EXPIRED`, `ERR_TLS_CERT_ALTNAME_INVALID`; `status_403` is what a proxy answered to CONNECT. */
const OTHER_CAUSE = /^(?:[A-Z][A-Z0-9_]{1,63}|status_[1-5][0-9]{2})$/

/** Whether a record may have it: whatever hands on an error's code, nothing else gets into the log. */
export function isCause(word: string): boolean {
  return Object.hasOwn(CAUSES, word) || OTHER_CAUSE.test(word)
}

/** OpenSSL's errors, an alert of the peer among them. */
export function isOfTls(code: string | undefined): boolean {
  return code?.startsWith('ERR_SSL') === true
}
