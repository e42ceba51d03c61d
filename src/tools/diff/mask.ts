import { nameOf, valueIn } from './message.ts'

/** Texts for a report: no secret in them, and no byte that a terminal could take for a command. */

/** Stands for one masked character, so that positions stay; no latin-1 text has it. */
const MASKED = '\u{e000}'

const CREDENTIAL_FIELD = /^(?:proxy-)?authorization$|^(?:x-)?api-key$|^x-goog-api-key$|^x-fluxgate-key$/

export type Mask = (text: string) => string

/** Masks each secret wherever it stands, in any case: plain, percent-encoded, or as JSON has it. */
export function createMask(secrets: readonly string[]): Mask {
  const spellings = secrets
    .filter((secret) => secret !== '')
    .flatMap((secret) => {
      const json = JSON.stringify(secret).slice(1, -1)
      return [secret, encodeURIComponent(secret.toWellFormed()), json, json.replaceAll('/', '\\/')]
    })
    .flatMap((spelling) => [spelling, Buffer.from(spelling).toString('latin1')])
    .sort((a, b) => b.length - a.length)
  if (spellings.length === 0) return (text) => text
  const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
  const pattern = new RegExp(spellings.map(literal).join('|'), 'gi')
  return (text) => text.replace(pattern, (secret) => MASKED.repeat(secret.length))
}

/** What a credential field holds, without its scheme; undefined: it is none. */
export function credentialIn(line: string): string | undefined {
  return CREDENTIAL_FIELD.test(nameOf(line)) ? valueIn(line).replace(/^[A-Za-z]+ +/, '') : undefined
}

/** Whatever a credential field holds, and the values of cookies: they are secrets of somebody else. */
export function maskFieldLine(line: string): string {
  const name = nameOf(line)
  if (CREDENTIAL_FIELD.test(name)) {
    return line.replace(/^([^:]*:[\t ]*(?:[A-Za-z]+ +)?)([\s\S]*)$/, (_, before: string, value: string) => {
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
