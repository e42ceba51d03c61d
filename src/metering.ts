/** What the taps of one thread share: what a model's tokens are worth, in octets and in money. */
import type { Snapshot, Upstream } from './config/snapshot.ts'
import type { Metering } from './exchange/meter.ts'
import { createEstimator } from './llm/estimate.ts'
import { announce, EVENTS } from './observe/events.ts'
import type { Log } from './observe/log.ts'
import { onceAMinute } from './observe/once-a-minute.ts'
import { createPricing, type Pricing, type Used } from './prices/pricing.ts'
import { addToTextSet } from './runtime/text-set.ts'

/**
 * `publish` puts prices in force.
 *
 * @param unpriced a shared set of the models of which somebody has said that they have no price
 */
export function createMetering(
  log: Log,
  unpriced: SharedArrayBuffer,
): Metering & { publish(snapshot: Pick<Snapshot, 'prices' | 'priceTable'>): void } {
  let pricing: Pricing

  function tellUnknown(model: string, upstream: string): void {
    if (addToTextSet(unpriced, model) === 'new') announce(log, EVENTS.priceUnknown, { model, upstream })
  }

  const tellBug = onceAMinute((error: unknown) =>
    announce(log, EVENTS.bug, { error: error instanceof Error ? error.stack : String(error) }),
  )

  return {
    estimator: createEstimator(),
    /** A bug in there may cost a record its cost. */
    costOf(used: Used, upstream: Upstream) {
      try {
        return pricing.costOf(used, upstream, Date.now())
      } catch (error) {
        tellBug(error)
        return undefined
      }
    },
    unsettled: 0,
    settling: undefined,
    publish(snapshot) {
      pricing = createPricing(snapshot, tellUnknown)
    },
  }
}
