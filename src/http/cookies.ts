const COOKIE_LINE = '\r\ncookie: '

/** The head of a request that came over HTTP/2, with all its cookies in one line, where the first of them stood. */
export function joinCookies(head: string): string {
  const first = head.indexOf(COOKIE_LINE)
  if (first === -1 || head.indexOf(COOKIE_LINE, first + 2) === -1) return head
  const firstEnd = head.indexOf('\r', first + 2)
  let joined = head.slice(0, firstEnd)
  let rest = ''
  let from = firstEnd
  for (let at = head.indexOf(COOKIE_LINE, from); at !== -1; at = head.indexOf(COOKIE_LINE, from)) {
    const end = head.indexOf('\r', at + 2)
    joined += `; ${head.slice(at + COOKIE_LINE.length, end)}`
    rest += head.slice(from, at)
    from = end
  }
  return joined + rest + head.slice(from)
}
