/** The two disguises in which clients send keys without meaning to hide them: percent-encoding, and the Basic scheme. */

const PERCENT = 0x25
/** Value of each octet as a hexadecimal digit; others are 0xff. */
const DIGIT = new Uint8Array(256).fill(0xff)
for (let value = 0; value < 16; value++) {
  DIGIT[value.toString(16).charCodeAt(0)] = value
  DIGIT[value.toString(16).toUpperCase().charCodeAt(0)] = value
}

/** One character per octet, before and after; what is no escape stays. In place, since 64 KiB of escapes may come. */
export function percentDecode(text: string): string {
  if (!text.includes('%')) return text
  const octets = Buffer.from(text, 'latin1')
  let length = 0
  for (let i = 0; i < octets.length; i++) {
    const high = octets[i] === PERCENT ? DIGIT[octets[i + 1] ?? 0]! : 0xff
    const low = high === 0xff ? 0xff : DIGIT[octets[i + 2] ?? 0]!
    octets[length++] = low === 0xff ? octets[i]! : (high << 4) | low
    if (low !== 0xff) i += 2
  }
  return octets.toString('latin1', 0, length)
}

export function base64Decode(text: string): string {
  return Buffer.from(text, 'base64').toString('latin1')
}

/** In a cookie or a query the blank after the scheme is another mark, and something may stand before it. */
const BASIC = /basic[ \t+,"':=]+([A-Za-z0-9+/_-]+)/gi

/** How many logins of a head are still looked at: each costs a buffer. */
export interface LoginBudget {
  left: number
}

/**
 * What stands in the logins of the Basic scheme (RFC 7617 section 2) within the text, one behind the other; undefined if they are too
 * many to look at.
 */
export function basicLogins(text: string, budget: LoginBudget): string | undefined {
  let logins = ''
  for (const [, login] of text.matchAll(BASIC)) {
    if (budget.left === 0) return undefined
    budget.left--
    logins += `${base64Decode(login!)}\n`
  }
  return logins
}
