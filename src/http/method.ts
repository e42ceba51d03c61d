/** The methods of RFC 9110 section 9 and RFC 5789. */
const REGISTERED = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT', 'TRACE'])

export function isRegistered(method: string): boolean {
  return REGISTERED.has(method)
}

/**
 * Methods are case-sensitive: `get` is another method than GET. Passing it on invites the next hop to see GET where the
 * gateway did not, so a registered method in another spelling is refused. Unknown methods are fine.
 */
export function isMisspelled(method: string): boolean {
  return !REGISTERED.has(method) && REGISTERED.has(method.toUpperCase())
}

/** RFC 9110 section 9.2.2. */
export function isIdempotent(method: string): boolean {
  switch (method) {
    case 'GET':
    case 'HEAD':
    case 'OPTIONS':
    case 'PUT':
    case 'DELETE':
      return true
    default:
      return false
  }
}
