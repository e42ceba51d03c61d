import type { Content } from '../content.ts'
import { type Dialect, type FieldOf, type Found, firstAt, hasError, lastUsage, type Said } from '../dialect.ts'
import type { Document } from '../document.ts'
import {
  addUnit,
  type Counts,
  countOf,
  fitParts,
  isSound,
  type JsonObject,
  memberOf,
  noCounts,
  sumOf,
} from '../usage.ts'
import { anthropic } from './anthropic.ts'
import { readCohereUsage } from './cohere.ts'
import { openAiChat } from './openai-chat.ts'

const METRICS = 'amazon-bedrock-invocationMetrics'

/**
 * Bedrock: converse, whose words are its own, and invoke, where each model answers in its own dialect and Bedrock adds its metrics
 * to the last chunk of a stream, or fields to the head of any other answer. Cached tokens are not part of the input in any of them.
 */
export const bedrock: Dialect = {
  path: /\/model\/[^/]+\/(?:converse|converse-stream|invoke|invoke-with-response-stream)$/,
  knows: (document) => isConverse(document) || document.get(METRICS) !== undefined,
  read(content, field) {
    const native = readNative(content)
    const said = [
      lastUsage(content.last, [['usage']], readConverseUsage),
      lastUsage(content.last, [[METRICS]], readMetrics),
      { counts: native.counts, isUnsound: native.isUnsound },
      readFlat(content.last),
      readFields(field),
    ]
    const counts = said.find((one) => one.counts !== undefined)?.counts
    const isLast = content.last.some((document) => bedrock.knows(document))
    return {
      counts,
      isUnsound: counts === undefined && said.some((one) => one.isUnsound),
      model: native.model,
      isAnswer: content.isStream || native.isAnswer || firstAt(content.last, 'output') !== undefined,
      end: content.isStream && hasError(content.last[0]) ? 'open' : endOf(content, isLast, native),
      isOutOfReach: false,
    }
  },
}

function endOf({ isStream }: Content, isLast: boolean, native: Found): Found['end'] {
  if (!isStream) return 'counted'
  return isLast ? 'final' : native.end
}

function isConverse(document: Document): boolean {
  return memberOf(document.get('usage'), 'inputTokens') !== undefined
}

function readNative(content: Content): Found {
  const isAnthropic = content.first.some((document) => anthropic.knows(document))
  return (isAnthropic ? anthropic : openAiChat).read(content, () => undefined)
}

function readConverseUsage(usage: JsonObject): Counts {
  const counts = withCaches(
    countOf(usage['inputTokens']),
    countOf(usage['outputTokens']),
    countOf(usage['cacheReadInputTokens']) ?? countOf(usage['cacheReadInputTokenCount']),
    countOf(usage['cacheWriteInputTokens']) ?? countOf(usage['cacheWriteInputTokenCount']),
  )
  const details = Array.isArray(usage['cacheDetails']) ? usage['cacheDetails'] : []
  for (const detail of details) {
    if (memberOf(detail, 'ttl') === '1h')
      addUnit(counts, 'cache_write_1h_tokens', countOf(memberOf(detail, 'inputTokens')))
  }
  return counts
}

function readMetrics(metrics: JsonObject): Counts {
  return withCaches(
    countOf(metrics['inputTokenCount']),
    countOf(metrics['outputTokenCount']),
    countOf(metrics['cacheReadInputTokenCount']),
    countOf(metrics['cacheWriteInputTokenCount']),
  )
}

const FIELDS = ['input', 'output', 'cache-read-input', 'cache-write-input'].map(
  (kind) => `x-amzn-bedrock-${kind}-token-count`,
)

/** The fields of a head that say usage, kept for the end of the exchange. */
export function fieldsOfBedrock(field: FieldOf): FieldOf {
  const kept = new Map(FIELDS.map((name) => [name, field(name)]))
  return (name) => kept.get(name)
}

function readFields(field: FieldOf): Said {
  const [input, output, cached, cacheWrite] = FIELDS.map((name) => {
    const value = field(name)
    return value !== undefined && /^\d{1,16}$/.test(value) ? countOf(Number(value)) : undefined
  })
  const counts = withCaches(input, output, cached, cacheWrite)
  return { counts: isSound(counts) ? counts : undefined, isUnsound: false }
}

/** Llama and Titan, whose counts stand among everything else; Cohere, with its own. */
function readFlat(documents: readonly Document[]): Said {
  const counts = noCounts()
  const results = firstAt(documents, 'results')
  counts.input = countOf(firstAt(documents, 'prompt_token_count')) ?? countOf(firstAt(documents, 'inputTextTokenCount'))
  counts.output =
    countOf(firstAt(documents, 'generation_token_count')) ??
    countOf(firstAt(documents, 'totalOutputTextTokenCount')) ??
    (Array.isArray(results) ? sumOf(...results.map((result) => countOf(memberOf(result, 'tokenCount')))) : undefined)
  if (isSound(counts)) return { counts, isUnsound: false }
  return lastUsage(documents, [['meta'], ['usage']], readCohereUsage)
}

function withCaches(
  input: number | undefined,
  output: number | undefined,
  cached: number | undefined,
  cacheWrite: number | undefined,
): Counts {
  const counts = noCounts()
  counts.input = sumOf(input, cached, cacheWrite)
  counts.output = output
  counts.cached = cached
  counts.cacheWrite = cacheWrite
  return fitParts(counts)
}
