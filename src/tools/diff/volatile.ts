/**
 * Fields of providers and of the edges before them that say something about one answer and not about what was asked.
 * They are compared like all others, and a difference is named, but it does not count.
 */

/** Only their value changes. A gateway that adds or drops one is found. */
const VALUES = [
  /^date$/,
  /^(?:x-)?request-?id$/,
  /^x-[a-z0-9-]*(?:request|trace|correlation)-?id$/,
  /^(?:apim-request|mistral-correlation|x-amz-cf|x-generation)-id$/,
  /^x-amz-id-2$/,
  /^x-cloud-trace-context$/,
  /^traceparent$/,
  /^cf-ray$/,
  /^x-timer$/,
  /^x-served-by$/,
  /^x-[a-z-]*latency[a-z-]*$/,
  /^(?:[a-z-]+-)?(?:processing|process|response|inference|compute|queue|service)-(?:time|ms|duration)$/,
  /^x-amzn-bedrock-[a-z]+-token-count$/,
  /^(?:anthropic-|x-)?ratelimit/,
  /^anthropic-[a-z-]*limit/,
  /^(?:report-to|nel)$/,
]

/** They may also come with one answer and not with the next. */
const PRESENCE = [/^set-cookie$/, /^age$/, /^server-timing$/, /^retry-after(?:-ms)?$/, /^cf-cache-status$/, /^x-cache/]

/** What may differ between two answers: nothing, the value, or even whether there is such a line. */
export type Volatility = 'none' | 'value' | 'presence'

/** @param name in lower case */
export function volatilityOf(name: string): Volatility {
  if (PRESENCE.some((pattern) => pattern.test(name))) return 'presence'
  return VALUES.some((pattern) => pattern.test(name)) ? 'value' : 'none'
}

/** What is said about the content goes with it: where that differs from one answer to the next, so may this. */
export function describesContent(name: string): boolean {
  return /^(?:content-length|content-md5|(?:content-|repr-)?digest|etag|last-modified)$/.test(name)
}
