/** What the taps of one thread share: what a model's tokens are worth, in octets and in money. */
import type { Snapshot, Upstream } from './config/snapshot.ts'
import type { Metering } from './exchange/meter.ts'
import { createEstimator } from './llm/estimate.ts'
import { announce, EVENTS } from './observe/events.ts'
import type { Log } from './observe/log.ts'
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
): Metering & { publish(snapshot: Pick<Snapshot, 'prices'>): void } {
  let pricing: Pricing

  function tellUnknown(model: string, upstream: string): void {
    if (addToTextSet(unpriced, model) === 'new') announce(log, EVENTS.priceUnknown, { model, upstream })
  }

  return {
    estimator: createEstimator(),
    costOf: (used: Used, upstream: Upstream) => pricing.costOf(used, upstream, Date.now()),
    unsettled: 0,
    settling: undefined,
    publish({ prices }) {
      pricing = createPricing(prices, tellUnknown)
    },
  }
}
