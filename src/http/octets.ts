/** Character classes of RFC 9110 section 5.6 as tables over latin-1 code units. */

const TOKEN = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

export const IS_TOKEN: Uint8Array = new Uint8Array(256)
for (const character of TOKEN) IS_TOKEN[character.charCodeAt(0)] = 1

export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (IS_TOKEN[text.charCodeAt(i)] !== 1) return false
  return text !== ''
}

/** Whether `text[start..]` begins with that, letters in any case. Nothing is cut out to be compared. */
export function beginsWith(text: string, start: number, lowerCase: string): boolean {
  for (let i = 0; i < lowerCase.length; i++) {
    const wanted = lowerCase.charCodeAt(i)
    const given = text.charCodeAt(start + i)
    const isLetter = wanted >= 0x61 && wanted <= 0x7a
    if (given !== wanted && !(isLetter && (given | 0x20) === wanted)) return false
  }
  return true
}

/** Value of a hexadecimal digit, or -1. */
export const HEX_VALUE: Int8Array = new Int8Array(256).fill(-1)
for (let digit = 0; digit < 16; digit++) {
  HEX_VALUE[digit.toString(16).charCodeAt(0)] = digit
  HEX_VALUE[digit.toString(16).toUpperCase().charCodeAt(0)] = digit
}

export const TAB = 0x09
export const LF = 0x0a
export const CR = 0x0d
export const SP = 0x20
export const DQUOTE = 0x22
export const COLON = 0x3a
export const SEMICOLON = 0x3b
export const EQUALS = 0x3d
export const BACKSLASH = 0x5c
const DEL = 0x7f

/** field-value octets (RFC 9110 section 5.5): visible ASCII, obs-text, blank and tab. */
export function isFieldValueOctet(octet: number): boolean {
  return (octet >= SP && octet !== DEL) || octet === TAB
}
