import { fieldValue, linesNamed } from '../http/lines.ts'
import type { FieldLine, ResponseHead } from '../http/message.ts'
import { readableHead } from './cors.ts'
import type { Exchange } from './exchange.ts'
import { locationAtGateway } from './location.ts'

/** The response head that the client sees: what the operator has asked for, or the head as it came. */
export function headForClient(exchange: Exchange, head: ResponseHead): ResponseHead {
  const moved = exchange.upstream!.rewritesLocation ? withLocations(exchange, head) : head
  return exchange.snapshot.server.cors === undefined ? moved : readableHead(exchange, moved)
}

function withLocations(exchange: Exchange, head: ResponseHead): ResponseHead {
  const found = [...linesNamed(head, 'location'), ...linesNamed(head, 'content-location')]
  let moved = head
  // From the last one on, so that the places of those before it stay.
  for (const line of found.sort((a, b) => b.start - a.start)) {
    const location = locationAtGateway(fieldValue(head.text, line), exchange.upstream!)
    if (location !== undefined) moved = withValueOf(moved, line, location)
  }
  return moved
}

/** The head with another value in one line; all that comes behind it moves. */
function withValueOf(head: ResponseHead, line: FieldLine, value: string): ResponseHead {
  const by = value.length - (line.valueEnd - line.valueStart)
  const move = (each: FieldLine): FieldLine =>
    each.start < line.valueEnd
      ? each
      : {
          ...each,
          start: each.start + by,
          valueStart: each.valueStart + by,
          valueEnd: each.valueEnd + by,
          next: each.next + by,
        }
  const text = head.text.slice(0, line.valueStart) + value + head.text.slice(line.valueEnd)
  return { ...head, text, end: head.end + by, lines: head.lines.map(move) }
}
