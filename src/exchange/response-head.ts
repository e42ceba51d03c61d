import { linesNamed } from '../http/lines.ts'
import type { ResponseHead } from '../http/message.ts'
import { type Change, changedHead } from './changed-head.ts'
import { readableHead } from './cors.ts'
import type { Exchange } from './exchange.ts'
import { locationAtGateway } from './location.ts'

/** Whether more of a response's head is read than what concerns every exchange. */
export function readsResponseHead({ snapshot, upstream }: Exchange): boolean {
  return upstream!.rewritesLocation || snapshot.server.cors !== undefined
}

/** The response head that the client sees: what the operator has asked for, or the head as it came. */
export function headForClient(exchange: Exchange, head: ResponseHead): ResponseHead {
  const moved = exchange.upstream!.rewritesLocation ? withLocations(exchange, head) : head
  return exchange.snapshot.server.cors === undefined ? moved : readableHead(exchange, moved)
}

function withLocations(exchange: Exchange, head: ResponseHead): ResponseHead {
  const changes: Change[] = []
  for (const { valueStart, valueEnd } of [...linesNamed(head, 'location'), ...linesNamed(head, 'content-location')]) {
    const text = locationAtGateway(head.text.slice(valueStart, valueEnd), exchange.upstream!)
    if (text !== undefined) changes.push({ from: valueStart, to: valueEnd, text })
  }
  return changedHead(head, changes)
}
