/**
 * `request_path` → prefix without trailing slashes, or what is wrong with it. A prefix that no acceptable request target
 * could ever begin with is refused, as it would be a route that silently never matches.
 */
import { hasDotSegment } from './target-url.ts'

const NO_PATTERN =
  'must be a plain prefix, not a pattern (* and braces have no meaning): /a takes /a, /a/b and everything else below /a'

const NO_ESCAPE =
  'must not percent-encode letters, digits or -._~: it is compared as text, and clients send these as they are'

/** RFC 3986 section 2.3: an escape of one of these means the character itself. */
const ESCAPED_UNRESERVED = /%(?:4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae]|3[0-9]|2[de])/i

export function parseRequestPath(text: string): { readonly prefix: string } | { readonly wrong: string } {
  if (!text.startsWith('/')) return { wrong: 'must start with /' }
  if (text.startsWith('//')) return { wrong: 'must start with one slash, not with two' }
  if (text.includes(':')) return { wrong: 'must not hold a colon' }
  if (/[?#]/.test(text)) return { wrong: 'must be a path only, without query (?) or fragment (#)' }
  if (/[^\x21-\x7e]/.test(text)) {
    return { wrong: 'must be visible ASCII, as in a request line; write other characters percent-encoded' }
  }
  if (/[*{}]/.test(text)) return { wrong: NO_PATTERN }
  if (hasDotSegment(text)) return { wrong: 'must not hold . or .. segments' }
  if (ESCAPED_UNRESERVED.test(text)) return { wrong: NO_ESCAPE }
  return { prefix: text.replace(/\/+$/, '') }
}
