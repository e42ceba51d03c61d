import { monotonicMs } from '../runtime/clock.ts'
import type { Exchange } from './exchange.ts'
import { leftFlight } from './measure.ts'
import { settledOne } from './meter.ts'
import { record } from './record.ts'
import { dropReplay } from './retry.ts'
import { releaseTail } from './tail.ts'

/** The one exit: whatever happened, every exchange leaves through here, once, after its last byte. */
export function finish(exchange: Exchange, keep: boolean): void {
  if (exchange.isOver) return
  exchange.isOver = true
  leftFlight(exchange)
  exchange.endedAtMs = monotonicMs()
  exchange.deadline?.close()
  exchange.cancelConnect?.()
  releaseTail(exchange)
  dropReplay(exchange)
  const connection = exchange.connection
  exchange.connection = undefined
  try {
    connection?.release(false)
    record(exchange)
  } finally {
    if (exchange.isUnsettled) settledOne(exchange.path.metering)
    // Nobody comes by here again: without this a bug of ours would leave the client's connection to itself, for good.
    exchange.downstream.finish(keep, exchange.endedAtMs)
  }
}
