import type { Metering } from '../../src/exchange/meter.ts'
import { createEstimator } from '../../src/llm/estimate.ts'

/** Of a path without prices. */
export function plainMetering(): Metering {
  return { estimator: createEstimator(), costOf: () => undefined, unsettled: 0, settling: undefined }
}
