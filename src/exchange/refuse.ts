import { errorType, FAILURES, type FailureCode } from '../failure.ts'
import type { OwnAnswer } from '../http/downstream.ts'
import { reasonOf } from '../http/reason.ts'
import { answer } from './answer.ts'
import { readableAnswer } from './cors.ts'
import type { Exchange } from './exchange.ts'
import { finish } from './finish.ts'
import { openPrefixes } from './route.ts'

/** Gives the client an answer of our own, if it can still get one, and ends the exchange. It never hears the cause. */
export function refuse(exchange: Exchange, failure: FailureCode, cause?: string): void {
  if (exchange.isOver || exchange.isAnswered || exchange.failure !== undefined) return
  const { downstream } = exchange
  const row = FAILURES[failure]
  exchange.failure = failure
  if (cause !== undefined) exchange.cause = cause
  exchange.cancelConnect?.()
  exchange.cancelConnect = undefined
  const connection = exchange.connection
  exchange.connection = undefined
  connection?.release(false)
  if (row.warn) exchange.path.reportRefusal(exchange, failure)
  if (row.status === 0 || downstream.isGone) {
    downstream.cut(false)
    finish(exchange, false)
    return
  }
  const own = failure === 'no_route' ? noRoute(exchange) : answerOf(failure)
  answer(exchange, exchange.snapshot.server.cors === undefined ? own : readableAnswer(exchange, own), row.close)
}

/** Where trying again helps soon. Some SDKs obey any value, so none is long. */
const RETRY_AFTER_SECONDS: Partial<Readonly<Record<FailureCode, number>>> = { max_connections: 1, not_configured: 5 }

const answers = new Map<FailureCode, OwnAnswer>()

/** The one answer that depends on who asks, and so is never kept: whose key is right is told what it opens. */
function noRoute(exchange: Exchange): OwnAnswer {
  return makeAnswer('no_route', openPrefixes(exchange.identity!.routes))
}

/** All others are the same every time: a refusal tells nothing but its kind. */
function answerOf(failure: FailureCode): OwnAnswer {
  let answer = answers.get(failure)
  if (answer === undefined) {
    answer = makeAnswer(failure)
    answers.set(failure, answer)
  }
  return answer
}

/** A body that the official clients of OpenAI, Anthropic, Google, Mistral and the AI SDK print well. */
function makeAnswer(failure: FailureCode, more = ''): OwnAnswer {
  const { status, message } = FAILURES[failure]
  const code = `fluxgate_${failure}`
  const text = `fluxgate: ${message}${more}`
  const content = JSON.stringify({
    type: 'error',
    error: { type: errorType(status), message: text, code, param: null },
    message: text,
  })
  const fields: [string, string][] = [
    ['Content-Type', 'application/json'],
    ['x-fluxgate-error', code],
  ]
  if (status === 401) fields.push(['WWW-Authenticate', 'Bearer'])
  const retryAfter = RETRY_AFTER_SECONDS[failure]
  if (retryAfter !== undefined) fields.push(['Retry-After', `${retryAfter}`])
  return { status, reason: reasonOf(status), fields, content }
}
