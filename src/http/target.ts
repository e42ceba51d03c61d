/** Request targets (RFC 9112 section 3.2). Nothing in them ever chooses scheme, host or port. */

/** Longest accepted request target in bytes. */
export const MAX_TARGET_BYTES = 32_768

export interface OriginForm {
  /** Path and query as received; starts with a slash. */
  readonly pathAndQuery: string
  /** Length of the path within it. */
  readonly pathLength: number
  /** Of an absolute-form target; undefined for origin-form. */
  readonly authority: string | undefined
}

const SLASH = 0x2f

/** Whether a segment of the path ends there: `/a` is a prefix of `/a` and `/a/b`, never of `/ab`. */
export function endsSegment(path: string, at: number): boolean {
  return path.length === at || path.charCodeAt(at) === SLASH
}

/**
 * A `.` or `..` segment after one decoding, also where a backslash or an encoded slash would separate it for a careless
 * reader, or where a matrix parameter (`..;x`) hides it.
 */
const DOT_SEGMENT = /(?:[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:;[^/]*)?(?:$|[/\\]|%2f|%5c)/i

const ABSOLUTE_FORM = /^https?:\/\/([^/?#@]+)([/?].*)?$/i

/** Visible ASCII only, without `#`. */
function isClean(target: string): boolean {
  for (let i = 0; i < target.length; i++) {
    const c = target.charCodeAt(i)
    if (c <= 0x20 || c >= 0x7f || c === 0x23) return false
  }
  return true
}

export function parseTarget(target: string): OriginForm | 'bad_target' {
  if (!isClean(target)) return 'bad_target'
  let pathAndQuery = target
  let authority: string | undefined
  if (target.charCodeAt(0) !== 0x2f) {
    const absolute = ABSOLUTE_FORM.exec(target)
    if (absolute === null) return 'bad_target'
    authority = absolute[1]!
    const rest = absolute[2] ?? '/'
    pathAndQuery = rest.startsWith('/') ? rest : `/${rest}`
  }
  const query = pathAndQuery.indexOf('?')
  const pathLength = query === -1 ? pathAndQuery.length : query
  if (hasDotSegment(pathAndQuery, pathLength)) return 'bad_target'
  return { pathAndQuery, pathLength, authority }
}

function hasDotSegment(pathAndQuery: string, pathLength: number): boolean {
  if (pathAndQuery.indexOf('.') === -1 && pathAndQuery.indexOf('%') === -1) return false
  return DOT_SEGMENT.test(pathLength === pathAndQuery.length ? pathAndQuery : pathAndQuery.slice(0, pathLength))
}
