/** The notation of the pages, to latin-1 text: one character is one byte. See README.md. */
const ESCAPE = /\n|\\(?:([rnt\\])|x([0-9a-f]{2})|\(((?:\\[rnt\\]|\\x[0-9a-f]{2}|[^\\*()])+)\*(\d+)\)|)/g

const PLAIN: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '\\': '\\' }

export function fromNotation(written: string): string {
  return written.replace(ESCAPE, (whole, plain?: string, hex?: string, repeated?: string, times?: string) => {
    if (whole === '\n') return ''
    if (plain !== undefined) return PLAIN[plain]!
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
    if (repeated !== undefined) return fromNotation(repeated).repeat(Number(times))
    throw new Error(`no such escape: ${written}`)
  })
}
