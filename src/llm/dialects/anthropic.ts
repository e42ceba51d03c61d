import type { Content } from '../content.ts'
import { type Dialect, type Found, firstAt, hasError, lastUsage, merged, modelAt, textAt } from '../dialect.ts'
import type { Document } from '../document.ts'
import {
  addUnit,
  type Counts,
  countOf,
  dollars,
  fitParts,
  isSound,
  type JsonObject,
  memberOf,
  noCounts,
  objectOf,
  sumOf,
} from '../usage.ts'

const EVENTS = /^(?:message_start|message_delta|message_stop|content_block_\w+|ping)$/

/**
 * Anthropic's messages. `message_start` says what the input was and a placeholder for the output, each `message_delta` the totals
 * so far, in which a field may be null or left out if it has not changed.
 */
export const anthropic: Dialect = {
  path: /\/(?:messages|publishers\/anthropic\/models\/[^/]+:(?:streamR|r)awPredict)$/,
  knows: (document) => EVENTS.test(textAt(document, 'type')) || isMessage(document),
  read: (content) => (content.isStream ? readStream(content) : readOne(content)),
}

function isMessage(document: Document): boolean {
  return textAt(document, 'type') === 'message' && textAt(document, 'role') !== ''
}

function readOne({ first, last }: Content): Found {
  const { counts, isUnsound } = lastUsage(last, [['usage']], readAnthropicUsage)
  return {
    counts,
    isUnsound,
    model: modelAt(first, 'model') ?? modelAt(last, 'model'),
    isAnswer: first.some(isMessage),
    end: 'counted',
    isOutOfReach: false,
  }
}

function readStream({ first, last }: Content): Found {
  const start = objectOf(firstAt(first, 'message', 'usage'))
  const deltas = last
    .filter((document) => isDelta(document))
    .map((document) => objectOf(document.get('usage')))
    .filter((usage) => usage !== undefined)
  const all = merged(start === undefined ? deltas : [...deltas, start])
  const counts = readAnthropicUsage(all)
  const isCounted = deltas.some((usage) => countOf(usage['output_tokens']) !== undefined)
  // The output of `message_start` is a placeholder of a few tokens; nobody is billed by it.
  if (!isCounted) counts.output = counts.reasoning = undefined
  const hasStopped = last.some((document) => textAt(document, 'type') === 'message_stop')
  return {
    counts: isSound(counts) ? counts : undefined,
    isUnsound: !isSound(counts) && (start !== undefined || deltas.length > 0),
    model: modelAt(first, 'message', 'model'),
    isAnswer: start !== undefined || deltas.length > 0 || [...first, ...last].some((one) => anthropic.knows(one)),
    // What `message_start` said may be out of sight.
    end: !isCounted || counts.input === undefined || hasError(last[0]) ? 'open' : hasStopped ? 'final' : 'counted',
    isOutOfReach: false,
  }
}

function isDelta(document: Document): boolean {
  const type = textAt(document, 'type')
  return type === 'message_delta' || (type === '' && !document.isWhole)
}

/**
 * `input_tokens` leave out what was read from a cache or written to one. `iterations` has the steps of the answer; those of
 * compaction, of an advisor and of a model that stepped in are in no other count.
 */
export function readAnthropicUsage(usage: JsonObject): Counts {
  const counts = noCounts()
  for (const step of billedSteps(usage)) addStep(counts, step)
  // The breakdown of the output stands at the top alone.
  counts.reasoning = countOf(memberOf(usage['output_tokens_details'], 'thinking_tokens'))
  // OpenRouter says what it charges in every dialect.
  counts.costUsd = dollars(usage['cost'])
  const tools = usage['server_tool_use']
  addUnit(counts, 'web_search_requests', countOf(memberOf(tools, 'web_search_requests')))
  if (typeof usage['service_tier'] === 'string') counts.tier = usage['service_tier']
  return fitParts(counts)
}

function addStep(counts: Counts, step: JsonObject): void {
  const written = step['cache_creation']
  const longLived = countOf(memberOf(written, 'ephemeral_1h_input_tokens'))
  const cached = countOf(step['cache_read_input_tokens'])
  const cacheWrite =
    countOf(step['cache_creation_input_tokens']) ??
    sumOf(countOf(memberOf(written, 'ephemeral_5m_input_tokens')), longLived)
  counts.input = sumOf(counts.input, countOf(step['input_tokens']), cached, cacheWrite)
  counts.cached = sumOf(counts.cached, cached)
  counts.cacheWrite = sumOf(counts.cacheWrite, cacheWrite)
  counts.output = sumOf(counts.output, countOf(step['output_tokens']))
  addUnit(counts, 'cache_write_1h_tokens', longLived)
}

/**
 * What is billed. The totals at the top are those of the steps of type `message`, and the other steps come on top. Where a fallback
 * answered, those of the models before it were declined: they are free, and the totals at the top say nothing of the fallback.
 */
function billedSteps(usage: JsonObject): JsonObject[] {
  const { iterations } = usage
  if (!Array.isArray(iterations)) return [usage]
  const steps = iterations.map(objectOf).filter((step) => step !== undefined)
  const fallback = steps.findLast(({ type }) => type === 'fallback_message')
  if (fallback === undefined) return [usage, ...steps.filter(({ type }) => type !== 'message')]
  return steps.filter(({ type, model }) => type !== 'message' || model === fallback['model'])
}
