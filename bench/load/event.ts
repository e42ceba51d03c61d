/** An event carries the time at which it was sent: microseconds of the monotonic clock, which all processes share. */
export const MARK = '{"t":"'
export const TIME_LENGTH = 15

/** The rest of the event: what a provider's chunk of a chat completion looks like. */
export const REST =
  '","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o-mini","system_fingerprint":"fp_44709d6fcb",' +
  '"choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}]}\n\n'

export function microsNow(): number {
  return Number(process.hrtime.bigint() / 1000n)
}
