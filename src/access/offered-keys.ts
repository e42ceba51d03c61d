/**
 * Keys among the protocols that a WebSocket client offers (RFC 6455 section 11.3.4): the one place where a page in a browser can put
 * one. OpenAI's clients call it `openai-insecure-api-key.KEY`.
 */

const OFFER = 'openai-insecure-api-key.'

/** The field, in lower case. */
export const PROTOCOL_FIELD = 'sec-websocket-protocol'

/** The key that a protocol carries, as it stands between two commas; undefined where it carries none. */
export function offeredKey(protocol: string): string | undefined {
  const name = protocol.trim()
  return name.startsWith(OFFER) && name.length > OFFER.length ? name.slice(OFFER.length) : undefined
}

/** The same protocol with another key. */
export function withOfferedKey(protocol: string, key: string): string {
  const start = protocol.indexOf(OFFER) + OFFER.length
  return protocol.slice(0, start) + key + protocol.slice(protocol.trimEnd().length)
}
