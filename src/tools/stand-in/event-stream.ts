/** Server-sent events: `text/event-stream` as the providers write it, one event per frame. */
import type { Frame, StreamAnswer } from './api.ts'
import type { Reply } from './reply.ts'

export const EVENT_STREAM = 'text/event-stream; charset=utf-8'

export function eventStream(reply: Reply, frames: Iterable<Frame>): StreamAnswer {
  return { kind: 'stream', contentType: EVENT_STREAM, frames, tokens: reply.pieces.length, model: reply.model }
}

/** An event without a name. */
export function dataEvent(data: object, isToken = false): Frame {
  return { text: `data: ${JSON.stringify(data)}\n\n`, isToken }
}

/** An event whose name is the `type` of its data, as both typed streams have it. */
export function typedEvent(data: Readonly<Record<string, unknown>>, isToken = false): Frame {
  return { text: `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`, isToken }
}
