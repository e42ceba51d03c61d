/** Writing an answer at the pace of its model, for as long as somebody reads it. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { Answer, BinaryAnswer, JsonAnswer, StreamAnswer } from './api.ts'

export interface Pace {
  readonly tokenDelayMs: number
  /** Aborted when the client leaves: every wait here ends then, by throwing. */
  readonly clientLeft: AbortSignal
  /** Cuts the connection, and takes note that it was not the client who did. */
  readonly breakOff: () => void
}

type Headers = Readonly<Record<string, string>>

export async function send(response: ServerResponse, answer: Answer, headers: Headers, pace: Pace): Promise<void> {
  if (answer.kind === 'json') {
    const body = Buffer.from(JSON.stringify(answer.body))
    await sendWhole(response, answer, body, { 'content-type': 'application/json', ...headers, ...answer.headers }, pace)
  } else if (answer.kind === 'binary') {
    await sendWhole(response, answer, answer.body, { 'content-type': answer.contentType, ...headers }, pace)
  } else await sendStream(response, answer, headers, pace)
}

async function sendWhole(
  response: ServerResponse,
  answer: JsonAnswer | BinaryAnswer,
  body: Buffer,
  headers: Headers,
  pace: Pace,
): Promise<void> {
  const slowdown = answer.model?.slowdown
  if (slowdown) await delay(answer.tokens * pace.tokenDelayMs * slowdown, undefined, { signal: pace.clientLeft })
  const status = answer.kind === 'json' ? answer.status : 200
  response.writeHead(status, { 'content-length': body.length, ...headers })
  if (answer.model?.isCut) response.write(body.subarray(0, body.length / 2), pace.breakOff)
  else response.end(body)
}

async function sendStream(response: ServerResponse, answer: StreamAnswer, headers: Headers, pace: Pace): Promise<void> {
  response.writeHead(200, { 'content-type': answer.contentType, 'cache-control': 'no-cache', ...headers })
  response.flushHeaders()
  const { slowdown = 1, isCut = false } = answer.model
  const delayMs = pace.tokenDelayMs * slowdown
  let tokensLeft = isCut ? Math.ceil(answer.tokens / 2) : Number.POSITIVE_INFINITY
  for (const frame of answer.frames) {
    if (frame.isToken) {
      if (tokensLeft-- === 0) return pace.breakOff()
      if (delayMs > 0) await delay(delayMs, undefined, { signal: pace.clientLeft })
    }
    if (!response.write(frame.text)) await once(response, 'drain', { signal: pace.clientLeft })
  }
  response.end()
}
