/**
 * A message as it was on the wire, taken apart and nothing more: what is wrong with it stays, and is named. All texts are
 * latin-1, one character for each byte.
 */

/** Where a message body ends. `until-close`: where its connection does. */
export type Framing = 'none' | 'length' | 'chunked' | 'until-close'

export interface Head {
  readonly startLine: string
  /** Field lines without their CRLF. */
  readonly lines: readonly string[]
}

export interface Message extends Head {
  /** The interim responses before it. */
  readonly interim: readonly Head[]
  readonly framing: Framing
  readonly content: Buffer
  /** The chunk-size lines as they are written, extensions and the last chunk's included. */
  readonly chunkLines: readonly string[]
  readonly trailers: readonly string[]
  /** `cut`: its sender left in the middle of it. `unreadable`: nobody can tell what is still to come. */
  readonly end: 'whole' | 'cut' | 'unreadable'
  /** What made it unreadable. */
  readonly fault: string | undefined
  /** Bytes after its end that came along with it. */
  readonly surplus: Buffer
  /** Every byte of it, interim responses included. */
  readonly raw: Buffer
}

/** The name of a field line in lower case; a line without a colon is all name. */
export function nameOf(line: string): string {
  const colon = line.indexOf(':')
  return (colon === -1 ? line : line.slice(0, colon)).toLowerCase()
}

/** The value of a field line without the white space around it. */
export function valueIn(line: string): string {
  const colon = line.indexOf(':')
  return colon === -1 ? '' : line.slice(colon + 1).replace(/^[\t ]+|[\t ]+$/g, '')
}

/** The values of all lines with this (lower-case) name, in order. */
export function valuesOf(lines: readonly string[], name: string): string[] {
  return lines.filter((line) => nameOf(line) === name).map(valueIn)
}

/** The members of all list values of this name, lower-case. */
export function membersOf(lines: readonly string[], name: string): string[] {
  return valuesOf(lines, name)
    .flatMap((value) => value.toLowerCase().split(','))
    .map((member) => member.replace(/^[\t ]+|[\t ]+$/g, ''))
    .filter((member) => member !== '')
}

/** Of a status line; 0 where there is none. */
export function statusOf(startLine: string): number {
  return Number(/^HTTP\/\d\.\d (\d{3})/.exec(startLine)?.[1] ?? 0)
}
