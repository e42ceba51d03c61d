/**
 * Fields of providers and of the edges before them that say something about one answer and not about what was asked.
 * They are compared like all others, and a difference is named, but it does not count.
 */

/** Only their value changes. A gateway that adds or drops one is found. */
const VALUES = [
  /^date$/,
  /^(?:x-)?request-?id$/,
  /^x-[a-z0-9-]*(?:request|trace|correlation)-?id$/,
  /^(?:apim-request|mistral-correlation|x-amz-cf|x-amz-id)-id$/,
  /^x-amz-id-2$/,
  /^x-cloud-trace-context$/,
  /^traceparent$/,
  /^cf-ray$/,
  /^x-timer$/,
  /^x-served-by$/,
  /^x-[a-z-]*latency[a-z-]*$/,
  /^(?:openai-processing-ms|x-envoy-upstream-service-time|x-inference-time|x-compute-time|x-process-time)$/,
  /^(?:anthropic-|x-)?ratelimit/,
  /^anthropic-[a-z-]*limit/,
  /^(?:report-to|nel)$/,
]

/** They may also come with one answer and not with the next. */
const PRESENCE = [/^set-cookie$/, /^age$/, /^server-timing$/, /^retry-after(?:-ms)?$/, /^cf-cache-status$/, /^x-cache/]

export type Volatility = 'none' | 'value' | 'presence'

/** @param name in lower case */
export function volatilityOf(name: string): Volatility {
  if (PRESENCE.some((pattern) => pattern.test(name))) return 'presence'
  return VALUES.some((pattern) => pattern.test(name)) ? 'value' : 'none'
}
