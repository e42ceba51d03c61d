import { linesNamed } from '../http/lines.ts'
import type { ResponseHead } from '../http/message.ts'
import { readableHead } from './cors.ts'
import type { Exchange } from './exchange.ts'
import { locationAtGateway } from './location.ts'

/** The response head that the client sees: what the operator has asked for, or the head as it came. */
export function headForClient(exchange: Exchange, head: ResponseHead): ResponseHead {
  const moved = exchange.upstream!.rewritesLocation ? withLocations(exchange, head) : head
  return exchange.snapshot.server.cors === undefined ? moved : readableHead(exchange, moved)
}

/** All in one walk: nobody limits how many such lines an upstream sends. */
function withLocations(exchange: Exchange, head: ResponseHead): ResponseHead {
  const found = [...linesNamed(head, 'location'), ...linesNamed(head, 'content-location')]
  const moves: Move[] = []
  let text = ''
  let from = 0
  for (const { valueStart, valueEnd } of found.sort((a, b) => a.start - b.start)) {
    const location = locationAtGateway(head.text.slice(valueStart, valueEnd), exchange.upstream!)
    if (location === undefined) continue
    text += head.text.slice(from, valueStart) + location
    from = valueEnd
    moves.push({ at: valueEnd, by: text.length - valueEnd })
  }
  return moves.length === 0 ? head : moved({ ...head, text: text + head.text.slice(from) }, moves)
}

/** What stands at `at` or behind it has moved so far, up to where the next one begins. */
interface Move {
  readonly at: number
  readonly by: number
}

/** The same places in a text that has other values in it. A line whose own value is another one ends elsewhere, too. */
function moved(head: ResponseHead, moves: readonly Move[]): ResponseHead {
  let next = 0
  let by = 0
  // They are asked for in rising order.
  const place = (before: number): number => {
    while (next < moves.length && moves[next]!.at <= before) by = moves[next++]!.by
    return before + by
  }
  const lines = head.lines.map(({ field, ...line }) => ({
    field,
    start: place(line.start),
    valueStart: place(line.valueStart),
    valueEnd: place(line.valueEnd),
    next: place(line.next),
  }))
  return { ...head, lines, end: place(head.end) }
}
