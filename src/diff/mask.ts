import { nameOf } from './message.ts'

/** Texts for a report: no secret in them, and no byte that a terminal could take for a command. */

/** Stands for one masked character, so that positions stay; no latin-1 text has it. */
const MASKED = '\u{e000}'

const CREDENTIAL_FIELD = /^(?:proxy-)?authorization$|^(?:x-)?api-key$|^x-goog-api-key$|^x-fluxgate-key$/

export type Mask = (text: string) => string

/** Masks each secret wherever it stands, in any case, plain or percent-encoded. */
export function createMask(secrets: readonly string[]): Mask {
  const spellings = secrets
    .filter((secret) => secret !== '')
    .flatMap((secret) => [Buffer.from(secret).toString('latin1'), encodeURIComponent(secret)])
    .map((spelling) => spelling.toLowerCase())
    .sort((a, b) => b.length - a.length)
  return (text) => {
    let masked = text
    for (const spelling of spellings) masked = maskAll(masked, spelling)
    return masked
  }
}

function maskAll(text: string, secret: string): string {
  const lower = text.toLowerCase()
  let masked = ''
  let from = 0
  for (let at = lower.indexOf(secret); at !== -1; at = lower.indexOf(secret, from)) {
    masked += text.slice(from, at) + MASKED.repeat(secret.length)
    from = at + secret.length
  }
  return masked + text.slice(from)
}

/** Whatever a credential field holds, and the values of cookies: they are secrets of somebody else. */
export function maskFieldLine(line: string): string {
  const name = nameOf(line)
  if (CREDENTIAL_FIELD.test(name)) {
    return line.replace(/^([^:]*:[\t ]*(?:[A-Za-z]+ +)?)(.*)$/, (_, before: string, value: string) => {
      return before + MASKED.repeat(value.length)
    })
  }
  if (name !== 'set-cookie' && name !== 'cookie') return line
  // The first pair of Set-Cookie is the cookie, the others are its attributes.
  const pair = name === 'cookie' ? /(=)([^;]*)/g : /^([^:]*:[^=;]*=)([^;]*)/
  return line.replace(pair, (_, before: string, value: string) => before + MASKED.repeat(value.length))
}

/** What of a text is shown around a place in it. */
const BEFORE = 40
const SHOWN = 110

export function show(masked: string, at = 0, length = SHOWN): string {
  const start = masked.length <= length || at <= BEFORE ? 0 : at - BEFORE
  const end = start + length
  const shown = masked
    .slice(start, end)
    .replace(/[^\x20-\x7e\u{e000}]/gu, escapeOctet)
    .replace(/\u{e000}+/gu, '***')
  return `${start > 0 ? '…' : ''}${shown}${end < masked.length ? '…' : ''}`
}

function escapeOctet(character: string): string {
  if (character === '\r') return '\\r'
  if (character === '\n') return '\\n'
  if (character === '\t') return '\\t'
  const code = character.codePointAt(0)!.toString(16)
  return code.length > 2 ? `\\u{${code}}` : `\\x${code.padStart(2, '0')}`
}
