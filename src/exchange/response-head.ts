import { fieldValue, linesNamed, mergeLines } from '../http/lines.ts'
import type { FieldLine, ResponseHead } from '../http/message.ts'
import { readableHead } from './cors.ts'
import type { Exchange } from './exchange.ts'
import { locationAtGateway } from './location.ts'

/** The response head that the client sees: what the operator has asked for, or the head as it came. */
export function headForClient(exchange: Exchange, head: ResponseHead): ResponseHead {
  const moved = exchange.upstream!.rewritesLocation ? withLocations(exchange, head) : head
  return exchange.snapshot.server.cors === undefined ? moved : readableHead(exchange, moved)
}

/** In one pass, however many there are: the lines of interest move by what has changed before them. */
function withLocations(exchange: Exchange, head: ResponseHead): ResponseHead {
  const found = mergeLines(linesNamed(head, 'location'), linesNamed(head, 'content-location'))
  if (found.length === 0) return head
  const lines: FieldLine[] = []
  let text = ''
  let at = 0
  for (const line of mergeLines(head.lines, found)) {
    const isOfInterest = line === head.lines[lines.length]
    // One that its Connection takes away goes as it came.
    const location = isOfInterest ? undefined : locationAtGateway(fieldValue(head.text, line), exchange.upstream!)
    if (isOfInterest) lines.push(movedBy(line, text.length - at))
    if (location === undefined) continue
    text += head.text.slice(at, line.valueStart) + location
    at = line.valueEnd
  }
  return { ...head, text: text + head.text.slice(at), end: head.end + text.length - at, lines }
}

function movedBy(line: FieldLine, by: number): FieldLine {
  return {
    field: line.field,
    start: line.start + by,
    valueStart: line.valueStart + by,
    valueEnd: line.valueEnd + by,
    next: line.next + by,
  }
}
