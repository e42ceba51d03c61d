/**
 * `request_path` → prefix without trailing slashes, or what is wrong with it. A prefix that no acceptable request target
 * could ever begin with is refused, as it would be a route that silently never matches.
 */
import { hasDotSegment } from './target-url.ts'

export function parseRequestPath(text: string): { readonly prefix: string } | { readonly wrong: string } {
  if (!text.startsWith('/')) return { wrong: 'must start with /' }
  if (text.startsWith('//')) return { wrong: 'must start with one slash, not with two' }
  if (text.includes(':')) return { wrong: 'must not hold a colon' }
  if (/[?#]/.test(text)) return { wrong: 'must be a path only, without query (?) or fragment (#)' }
  if (/[^\x21-\x7e]/.test(text)) {
    return { wrong: 'must be visible ASCII, as in a request line; write other characters percent-encoded' }
  }
  if (hasDotSegment(text)) return { wrong: 'must not hold . or .. segments' }
  return { prefix: text.replace(/\/+$/, '') }
}
