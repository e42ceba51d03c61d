import type { Upstream } from '../config/snapshot.ts'
import { linesNamed } from '../http/lines.ts'
import type { ResponseHead } from '../http/message.ts'
import { type Change, changedHead } from './changed-head.ts'
import { readableHead } from './cors.ts'
import { mayEcho, withoutEchoes } from './echoes.ts'
import type { Exchange } from './exchange.ts'
import { locationAtGateway, uploadUrlAtGateway } from './location.ts'
import { metersHead } from './meter.ts'

/** Whether more of a response's head is read than what concerns every exchange. */
export function readsResponseHead(exchange: Exchange): boolean {
  const { snapshot, upstream } = exchange
  const isWanted = upstream!.rewritesLocation || upstream!.rewritesUploadUrl || snapshot.server.cors !== undefined
  return isWanted || mayEcho(exchange) || metersHead(exchange)
}

/** The response head that the client sees: with what the operator has asked for, without the provider's key, or as it came. */
export function headForClient(exchange: Exchange, received: ResponseHead): ResponseHead {
  const head = mayEcho(exchange) ? withoutEchoes(exchange, received) : received
  const { rewritesLocation, rewritesUploadUrl } = exchange.upstream!
  const moved = rewritesLocation || rewritesUploadUrl ? withLocations(exchange, head) : head
  return exchange.snapshot.server.cors === undefined ? moved : readableHead(exchange, moved)
}

function withLocations(exchange: Exchange, head: ResponseHead): ResponseHead {
  const upstream = exchange.upstream!
  const changes: Change[] = []
  const change = (name: string, moved: (value: string, upstream: Upstream) => string | undefined): void => {
    for (const { valueStart, valueEnd } of linesNamed(head, name)) {
      const text = moved(head.text.slice(valueStart, valueEnd), upstream)
      if (text !== undefined) changes.push({ from: valueStart, to: valueEnd, text })
    }
  }
  if (upstream.rewritesLocation) {
    change('location', locationAtGateway)
    change('content-location', locationAtGateway)
  }
  if (upstream.rewritesUploadUrl) change('x-goog-upload-url', uploadUrlAtGateway)
  return changedHead(head, changes)
}
