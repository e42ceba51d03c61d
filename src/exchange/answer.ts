import type { OwnAnswer } from '../http/downstream.ts'
import { Deadline } from '../runtime/deadline.ts'
import type { Exchange } from './exchange.ts'
import { finish } from './finish.ts'

/** How long an answer of ours may wait for a client that does not read. */
const UNREAD_ANSWER_MS = 5_000

/** Sends an answer of our own, and ends the exchange as soon as it is on its way. */
export function answer(exchange: Exchange, own: OwnAnswer, mustClose: boolean): void {
  const { downstream } = exchange
  const keep = !mustClose && !downstream.isDraining && downstream.keepsAfterRefusal()
  exchange.isAnswered = true
  exchange.status = own.status
  exchange.response.sendAnswer(own, !keep)
  exchange.response.whenFlushed(() => finish(exchange, keep))
  if (exchange.isOver) return
  exchange.deadline?.close()
  exchange.deadline = new Deadline(() => {
    downstream.cut(false)
    finish(exchange, false)
  })
  exchange.deadline.arm(UNREAD_ANSWER_MS)
}
