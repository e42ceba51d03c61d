import { STATUS_CODES } from 'node:http'
import { errorType, FAILURES, type FailureCode } from '../failure.ts'
import type { OwnAnswer } from '../http/downstream.ts'
import { Deadline } from '../runtime/deadline.ts'
import type { Exchange } from './exchange.ts'
import { finish } from './finish.ts'
import { openPrefixes } from './route.ts'

/** Gives the client an answer of our own, if it can still get one, and ends the exchange. It never hears the cause. */
export function refuse(exchange: Exchange, failure: FailureCode, cause?: string): void {
  if (exchange.isOver || exchange.failure !== undefined) return
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
  const keep = !row.close && !downstream.isDraining && downstream.keepsAfterRefusal()
  exchange.status = row.status
  exchange.response.sendAnswer(failure === 'no_route' ? noRoute(exchange) : answerOf(failure), !keep)
  exchange.response.whenFlushed(() => finish(exchange, keep))
  if (exchange.isOver) return
  exchange.deadline?.close()
  exchange.deadline = new Deadline(() => {
    downstream.cut(false)
    finish(exchange, false)
  })
  exchange.deadline.arm(UNREAD_ANSWER_MS)
}

/** How long an answer of ours may wait for a client that does not read. */
const UNREAD_ANSWER_MS = 5_000

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
  return { status, reason: STATUS_CODES[status] ?? '', fields, content }
}
