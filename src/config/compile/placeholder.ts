/**
 * Texts that stand where a key should be and are none. As a gateway key, one of them would be an open door with a known knock;
 * as a provider's key, it costs a 401 that nobody understands. Fluxgate fills nothing in: `{ env: NAME }` does that.
 */
import { hash } from 'node:crypto'

/** What README and guide have shown as a key: whoever can read them can guess it. */
const EXAMPLES: ReadonlySet<string> = new Set([
  'replace-this-by-a-long-random-key',
  'replace-this-by-a-long-random-key-of-32-bytes',
])
const EXAMPLE_DIGESTS: ReadonlySet<string> = new Set([...EXAMPLES].map((key) => hash('sha256', key, 'hex')))

const MAKE_ONE = 'make one of your own, for instance with openssl rand -hex 24'
const EXAMPLE = `is the example of the documentation, which everybody knows; ${MAKE_ONE}`

/** Each with the name of a variable in its first group, where the shape has one. Whole texts, so that none takes long. */
const VARIABLES: readonly RegExp[] = [
  /^\$\(.*\)$/s,
  /^%([A-Za-z_]\w*)%$/,
  // LiteLLM's, Python's, Node's, Caddy's.
  /^os\.environ(?:\/|\[["']|\.get\(["'])(\w*)/,
  /^(?:os\.getenv\(["']|process\.env\.)(\w*)/,
  /^\{\$?(?:env\.)?([A-Z]\w*)\}$/,
]
/** What follows may be a password that happens to begin with a dollar: its name is not repeated. */
const SHELL_VARIABLE = /^\$[A-Za-z_]\w*$/
const STAND_IN =
  /^(?:<[^<>]*>|\[?your[-_ ](?:[a-z]+[-_ ]){0,4}(?:key|token|secret)(?:[-_ ]here)?\]?|change[-_ ]?(?:me|this)|(?:sk-)?(?:\.{3}|…|x{4,}))$/i

const QUOTED = /^(["'`]).*\1$|^[“„‘«].*[”“’»]$/s

/** What is wrong with this text as a key, and the cure, without any of it but a variable's name; undefined: it may well be one. */
export function placeholderFault(text: string): string | undefined {
  if (EXAMPLES.has(text)) return EXAMPLE
  const start = text.indexOf('${')
  const end = start < 0 ? -1 : text.indexOf('}', start)
  // The shell's, compose files' and envsubst's: ${X}, ${X:-default}, sk-${X}.
  if (end > 0) return unfilled(/^\w*/.exec(text.slice(start + 2, end).trim())?.[0])
  // Helm's, Ansible's, GitHub's.
  if (text.includes('}}', text.indexOf('{{') + 1) && text.includes('{{')) return unfilled(undefined)
  for (const shape of VARIABLES) {
    const match = shape.exec(text)
    if (match !== null) return unfilled(match[1])
  }
  if (SHELL_VARIABLE.test(text)) return unfilled(undefined)
  if (STAND_IN.test(text)) return 'is a placeholder and no key; put the key in its place, or write { env: NAME }'
  if (QUOTED.test(text)) return 'has quotes around it that are part of the key; remove them where it is set'
  if (/^bearer\s/i.test(text)) return 'begins with Bearer, which is no part of a key; remove that word'
  return undefined
}

/** The same for a key of which there is the SHA-256 only, in lower-case hex. */
export function exampleDigestFault(digest: string): string | undefined {
  return EXAMPLE_DIGESTS.has(digest) ? EXAMPLE : undefined
}

function unfilled(variable: string | undefined): string {
  const name = variable !== undefined && /^[A-Z][A-Z0-9_]{0,63}$/.test(variable) ? variable : 'NAME'
  return `is a placeholder that nothing fills in; write { env: ${name} } in its place`
}

/** Guessing is limited by nothing but the network: 16 characters of a random generator are out of reach. */
const MIN_KEY_CHARACTERS = 16

/** What makes a gateway key weak. */
export function weaknessOf(key: string): string | undefined {
  if (key.length >= MIN_KEY_CHARACTERS * 2 || [...key].length >= MIN_KEY_CHARACTERS) return undefined
  return `has fewer than ${MIN_KEY_CHARACTERS} characters and could be guessed; ${MAKE_ONE}`
}
