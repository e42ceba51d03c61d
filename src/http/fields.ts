/** The fields that the gateway looks at. Every other field line passes as the bytes that it is. */
export const FIELD = {
  other: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  keepAlive: 5,
  proxyConnection: 6,
  proxyAuthenticate: 7,
  proxyAuthorization: 8,
  te: 9,
  upgrade: 10,
  expect: 11,
  authorization: 12,
  xApiKey: 13,
  apiKey: 14,
  xGoogApiKey: 15,
  xFluxgateKey: 16,
  /** Named by a Connection option (RFC 9110 section 7.6.1). */
  nominated: 17,
  /** `Content_Length`, `Transfer_Encoding`: to a reader that takes `_` for `-` (CGI and its heirs) this is framing. */
  framingTwin: 18,
  wwwAuthenticate: 19,
  // What content is: read and left alone.
  contentType: 20,
  contentEncoding: 21,
  // What a provider calls an exchange, in the order in which they count.
  xRequestId: 40,
  requestId: 41,
  apimRequestId: 42,
  xAmznRequestId: 43,
} as const

export type Field = (typeof FIELD)[keyof typeof FIELD]

/** Their numbers are the order in which they are looked at: of several with the key, the first is the one that is swapped. */
export function isCredentialField(field: Field): boolean {
  return field >= FIELD.authorization && field <= FIELD.xFluxgateKey
}

/** Compares `text[start..]` with a lower-case name of the same length, ignoring case. The text must be a valid token. */
function named(text: string, start: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    if ((text.charCodeAt(start + i) | 0x20) !== name.charCodeAt(i)) return false
  }
  return true
}

function isTwin(text: string, start: number, end: number, name: string): boolean {
  return text.slice(start, end).toLowerCase() === name
}

/** Which field the token `text[start..end)` names. By length first: most names are settled by one switch. */
export function fieldOf(text: string, start: number, end: number): Field {
  switch (end - start) {
    case 2:
      return named(text, start, 'te') ? FIELD.te : FIELD.other
    case 4:
      return named(text, start, 'host') ? FIELD.host : FIELD.other
    case 6:
      return named(text, start, 'expect') ? FIELD.expect : FIELD.other
    case 7:
      if (named(text, start, 'upgrade')) return FIELD.upgrade
      return named(text, start, 'api-key') ? FIELD.apiKey : FIELD.other
    case 9:
      return named(text, start, 'x-api-key') ? FIELD.xApiKey : FIELD.other
    case 10:
      if (named(text, start, 'connection')) return FIELD.connection
      if (named(text, start, 'keep-alive')) return FIELD.keepAlive
      return named(text, start, 'request-id') ? FIELD.requestId : FIELD.other
    case 12:
      if (named(text, start, 'content-type')) return FIELD.contentType
      return named(text, start, 'x-request-id') ? FIELD.xRequestId : FIELD.other
    case 13:
      return named(text, start, 'authorization') ? FIELD.authorization : FIELD.other
    case 14:
      if (named(text, start, 'content-length')) return FIELD.contentLength
      if (named(text, start, 'x-goog-api-key')) return FIELD.xGoogApiKey
      if (named(text, start, 'x-fluxgate-key')) return FIELD.xFluxgateKey
      return isTwin(text, start, end, 'content_length') ? FIELD.framingTwin : FIELD.other
    case 15:
      return named(text, start, 'apim-request-id') ? FIELD.apimRequestId : FIELD.other
    case 16:
      if (named(text, start, 'x-amzn-requestid')) return FIELD.xAmznRequestId
      if (named(text, start, 'proxy-connection')) return FIELD.proxyConnection
      if (named(text, start, 'content-encoding')) return FIELD.contentEncoding
      return named(text, start, 'www-authenticate') ? FIELD.wwwAuthenticate : FIELD.other
    case 17:
      if (named(text, start, 'transfer-encoding')) return FIELD.transferEncoding
      return isTwin(text, start, end, 'transfer_encoding') ? FIELD.framingTwin : FIELD.other
    case 18:
      return named(text, start, 'proxy-authenticate') ? FIELD.proxyAuthenticate : FIELD.other
    case 19:
      return named(text, start, 'proxy-authorization') ? FIELD.proxyAuthorization : FIELD.other
    default:
      return FIELD.other
  }
}

/** What a provider calls an exchange. */
export function isIdField(field: Field): boolean {
  return field >= FIELD.xRequestId
}

/** It says what the content is. */
function isOfContent(field: Field): boolean {
  return field === FIELD.contentType || field === FIELD.contentEncoding
}

/** It is read of responses only: in a request it is as good as any other. */
export function isOfResponses(field: Field): boolean {
  return field === FIELD.wwwAuthenticate || isIdField(field)
}

/** Beside those that the gateway looks at: fields that belong to one connection or to the framing. */
const ONE_CONNECTION = new Set(['trailer', 'http2-settings'])

/** Fields that the gateway answers for itself: framing, `Host`, what belongs to one connection, and its own key. */
export function isOwnBusiness(field: Field, lowerCaseName: string): boolean {
  if (field === FIELD.other || isOfResponses(field) || isOfContent(field)) return ONE_CONNECTION.has(lowerCaseName)
  return !isCredentialField(field) || field === FIELD.xFluxgateKey
}

/** Fields that Connection must never be able to remove: framing, routing, credentials. */
const PROTECTED = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'authorization',
  'x-api-key',
  'api-key',
  'x-goog-api-key',
  'x-fluxgate-key',
])

export function isProtectedFromNomination(lowerCaseName: string): boolean {
  return PROTECTED.has(lowerCaseName)
}

/** Fields that have no meaning, or a dangerous one, in a trailer section (RFC 9110 section 6.5.1). */
const FORBIDDEN_IN_TRAILERS = new Set([
  ...PROTECTED,
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'www-authenticate',
  'cookie',
  'set-cookie',
])

export function isForbiddenInTrailers(lowerCaseName: string): boolean {
  // CGI and its heirs take `_` for `-`.
  return FORBIDDEN_IN_TRAILERS.has(lowerCaseName.replaceAll('_', '-'))
}
