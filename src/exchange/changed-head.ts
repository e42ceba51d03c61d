import type { ResponseHead } from '../http/message.ts'

/** Other text for a part of a head: a value, or nothing for a whole line. */
export interface Change {
  readonly from: number
  readonly to: number
  readonly text: string
}

/** What stands at `at` or behind it has moved so far, up to where the next one begins. */
interface Move {
  readonly at: number
  readonly by: number
}

/** The head with these changes, in any order but none within another, in one walk: nobody limits how many lines an upstream sends. */
export function changedHead(head: ResponseHead, changes: readonly Change[]): ResponseHead {
  if (changes.length === 0) return head
  const moves: Move[] = []
  const removed = new Set<number>()
  let text = ''
  let at = 0
  for (const change of changes.toSorted((a, b) => a.from - b.from)) {
    text += head.text.slice(at, change.from) + change.text
    at = change.to
    moves.push({ at, by: text.length - at })
    if (change.text === '') removed.add(change.from)
  }
  const place = placeAfter(moves)
  const lines = head.lines
    .filter(({ start }) => !removed.has(start))
    .map(({ field, start, valueStart, valueEnd, next }) => ({
      field,
      start: place(start),
      valueStart: place(valueStart),
      valueEnd: place(valueEnd),
      next: place(next),
    }))
  return { ...head, text: text + head.text.slice(at), lines, end: place(head.end) }
}

/** Where a place is now; asked for in rising order. A line with another value ends elsewhere, too. */
function placeAfter(moves: readonly Move[]): (before: number) => number {
  let next = 0
  let by = 0
  return (before) => {
    while (next < moves.length && moves[next]!.at <= before) by = moves[next++]!.by
    return before + by
  }
}
