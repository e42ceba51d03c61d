/** A secret: written in the file, or taken from the environment or another file. No text made here ever repeats it. */
import { isUtf8 } from 'node:buffer'
import type { SecretSource } from '../schema/document.ts'
import type { SourceContent } from '../source.ts'

/** Longer ones do not fit into a head beside anything else. */
const MAX_SECRET_BYTES = 16 * 1024

/** Where secrets may come from. */
export interface SecretRoom {
  readonly env: NodeJS.ProcessEnv
  /** Reads a file relative to the configuration file's folder. */
  read(path: string, limit: number): SourceContent
}

export type Secret = { readonly bytes: Buffer } | { readonly wrong: string }

/** The bytes of a secret, whatever they are. */
export function readSecret(source: SecretSource, room: SecretRoom): Secret {
  const secret = fetchSecret(source, room)
  if ('bytes' in secret && secret.bytes.length > MAX_SECRET_BYTES) return { wrong: 'must not be longer than 16 KiB' }
  return secret
}

function fetchSecret(source: SecretSource, room: SecretRoom): Secret {
  if (typeof source === 'string') {
    // A lone surrogate, which an escape in the file can make, would be replaced by another character.
    return source.isWellFormed()
      ? { bytes: Buffer.from(source) }
      : { wrong: 'holds half a character (a lone surrogate)' }
  }
  if ('env' in source) {
    const value = Object.hasOwn(room.env, source.env) ? room.env[source.env] : undefined
    if (value === undefined) return { wrong: `takes an environment variable that is not set${nameOf(source.env)}` }
    return { bytes: dropLineBreak(Buffer.from(value)) }
  }
  const content = room.read(source.file, MAX_SECRET_BYTES + 2)
  if (content.wrong !== undefined) {
    return { wrong: `takes a file that ${content.wrong} (relative paths start at the configuration's folder)` }
  }
  return { bytes: dropLineBreak(Buffer.from(content.bytes)) }
}

/** What is wrong with a secret that turned out to be empty or blank: the mistake is where it comes from. */
export function emptyFault(source: SecretSource): string {
  if (typeof source === 'string') return 'must be neither empty nor blank'
  if ('env' in source) return `takes an environment variable that is set but empty${nameOf(source.env)}`
  return 'takes a file that is empty'
}

/** Only where it cannot be a key that somebody wrote into the wrong place. */
function nameOf(variable: string): string {
  return /^[A-Z][A-Z0-9_]{0,63}$/.test(variable) ? `: ${variable}` : ''
}

/** Editors and `kubectl` end a file with one. */
function dropLineBreak(bytes: Buffer): Buffer {
  if (bytes.at(-1) !== 0x0a) return bytes
  return bytes.subarray(0, bytes.at(-2) === 0x0d ? -2 : -1)
}

/**
 * A secret that travels in a field value. A line break in it would let it write lines into the head of a request, and
 * blanks at its ends would be lost on the way (RFC 9110 §5.5), so that it would never compare equal.
 */
export function readFieldSecret(
  source: SecretSource,
  room: SecretRoom,
): { readonly text: string } | { readonly wrong: string } {
  const secret = readSecret(source, room)
  if ('wrong' in secret) return secret
  if (!isUtf8(secret.bytes)) return { wrong: 'must be UTF-8 text' }
  const text = secret.bytes.toString()
  if (text.trim() === '') return { text: '' }
  if (/[\x00-\x1f\x7f]/.test(text)) return { wrong: 'must not hold line breaks or other control characters' }
  if (text.startsWith('\ufeff')) return { wrong: 'must not begin with a byte order mark' }
  if (text !== text.trim()) return { wrong: 'must not begin or end with a blank' }
  return { text }
}
