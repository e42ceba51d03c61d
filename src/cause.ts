/**
 * Why an exchange failed, in a word, for the log: narrower than its failure code, and never told to the client. The words are
 * fixed, so that no peer's bytes can be one. Beside them stand the codes of the system, of Node and of OpenSSL (`SYSTEM_CAUSE`).
 */
export const CAUSES = {
  // The door: `unauthorized`.
  no_key: 'No credential field has a credential in it; an `Authorization` of another scheme than `Bearer` has none.',
  unknown_key: 'What the request shows is no key of the configuration.',
  two_keys: 'The request shows keys of different identities, or more than four of one.',
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
} as const

export type Cause = keyof typeof CAUSES

/** What a system, Node or OpenSSL calls an error: `ECONNRESET`, `CERT_HAS_EXPIRED`, `ERR_TLS_CERT_ALTNAME_INVALID`. */
export const SYSTEM_CAUSE: RegExp = /^[A-Z][A-Z0-9_]{1,63}$/
