import { isIPv6 } from 'node:net'

/** `uri-host [ ":" port ]` (RFC 9110 section 7.2). No comma, though a reg-name may have one: others read a list there. */
const HOST = /^(?:(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2})+|\[([0-9A-Fa-f:.]+)\])(?::([0-9]{0,5}))?$/

/** Found valid last: most requests name the same host as the one before. */
let lastValid: string | undefined

export function isValidHost(value: string): boolean {
  if (value === lastValid) return true
  const isValid = matchesHost(value)
  if (isValid) lastValid = value
  return isValid
}

function matchesHost(value: string): boolean {
  const match = HOST.exec(value)
  if (match === null) return false
  const [, literal, port] = match
  if (literal !== undefined && !isIPv6(literal)) return false
  return port === undefined || port === '' || Number(port) <= 65_535
}

/**
 * A name as virtual hosts, certificates and SNI compare it (RFC 6066 section 3): the final dot only tells a resolver that the name
 * is whole.
 */
export function withoutFinalDot(name: string): string {
  return name.replace(/\.$/, '')
}
