import type { KeyRing } from '../config/snapshot.ts'
import { isCredentialField } from '../http/fields.ts'
import type { FieldLine, RequestHead } from '../http/message.ts'
import { base64Decode, percentDecode } from './encodings.ts'
import { isGatewayKey } from './key-ring.ts'

/** So many words are looked at, per request, since each costs a digest; a line with more of them counts as one that has a key. */
const MAX_WORDS = 256

/** Behind a scheme: `Token KEY`. */
const SCHEME = /^\S+[ \t]+/
/** What may stand between words: blanks alone, the marks of lists, all that a key usually has none of. */
const BETWEEN = [/[ \t]+/, /[ \t,;]+/, /[ \t,;="'<>()[\]{}]+/] as const
/** All marks that part a value; every joint parts it once more. */
const FINEST = /[ \t,;="'<>()[\]{}]+|[:/|@]/
const ENCLOSED = /["'<]([^"'<>]+)["'>]/g
const OPENING = '"\'<([{'
const CLOSING = '"\'>)]}'
const MAX_MARKS = 8
/** What joins a key to an account, a scope or a host: `acct:KEY`, `KEY/region`, `u:KEY@h`. A key may have such marks in itself. */
const JOINTS = ':/|@'
const MAX_JOINED = 8
const MAX_JOINED_BYTES = 4_096
const BASE64 = /^[A-Za-z0-9+/_-]{8,}={0,2}$/

/**
 * The credential fields whose value carries a gateway key in whatever form, anybody's: bare, behind another scheme, quoted, in
 * a list, as a parameter, in a login. It opens nothing there, and must not reach a provider either.
 */
export function linesWithGatewayKeys(head: RequestHead, keys: KeyRing): readonly FieldLine[] {
  if (keys.staticKeys.size + keys.jwtKeys.size === 0) return []
  let left = MAX_WORDS
  return head.lines.filter((line) => {
    if (!isCredentialField(line.field)) return false
    const value = head.text.slice(line.valueStart, line.valueEnd)
    // The finest pieces are the most. How many they are is known before anything is done about them.
    const pieces = value.split(FINEST, left + 1).length
    const words = pieces > left ? undefined : wordsOf(value)
    if (words === undefined || words.size > left) {
      left = 0
      return true
    }
    left -= Math.max(pieces, words.size)
    for (const word of words) if (isGatewayKey(word, keys)) return true
    return false
  })
}

/** Everything in a value that could be a key. A key may have marks of a list in itself, so words overlap. */
function wordsOf(value: string): ReadonlySet<string> {
  const words = new Set<string>()
  addWord(words, value)
  addWord(words, value.replace(SCHEME, ''))
  for (const between of BETWEEN) {
    for (const word of value.split(between)) {
      addWord(words, word)
      // A parameter's name ends at its first `=`; a key may end in some.
      const value = word.slice(word.indexOf('=') + 1)
      addWord(words, value)
      addRuns(words, word)
      if (value !== word) addRuns(words, value)
    }
  }
  for (const [, enclosed] of value.matchAll(ENCLOSED)) addWord(words, enclosed!)
  return words
}

/** Whatever stands between two joints; of a long word, or one with many of them, what stands between neighbours. */
function addRuns(words: Set<string>, word: string): void {
  const starts = [0]
  for (let i = 0; i < word.length; i++) if (JOINTS.includes(word[i]!)) starts.push(i + 1)
  if (starts.length === 1) return
  const reach = starts.length <= MAX_JOINED && word.length <= MAX_JOINED_BYTES ? starts.length : 1
  for (const [i, start] of starts.entries()) {
    for (let to = i + 1; to <= Math.min(starts.length, i + reach); to++) {
      words.add(word.slice(start, to === starts.length ? word.length : starts[to]! - 1))
    }
  }
}

function addWord(words: Set<string>, raw: string): void {
  const word = unwrapped(raw)
  words.add(raw).add(word).add(percentDecode(word))
  if (!BASE64.test(word)) return
  const decoded = base64Decode(word)
  // user ":" password (RFC 7617 section 2), either of which may be a key with a colon in it.
  const first = decoded.indexOf(':')
  const last = decoded.lastIndexOf(':')
  words.add(decoded).add(decoded.slice(first + 1))
  if (last !== -1) words.add(decoded.slice(0, first)).add(decoded.slice(0, last))
}

/** Without quotes and brackets around it, of which there are never many. */
function unwrapped(word: string): string {
  const last = Math.max(0, word.length - MAX_MARKS)
  let start = 0
  let end = word.length
  while (start < Math.min(end, MAX_MARKS) && OPENING.includes(word[start]!)) start++
  while (end > Math.max(start, last) && CLOSING.includes(word[end - 1]!)) end--
  return word.slice(start, end)
}
