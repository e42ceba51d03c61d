import {
  addUnit,
  type Counts,
  countOf,
  dollars,
  dollarsOfTicks,
  fitParts,
  type JsonObject,
  memberOf,
  noCounts,
  sumOf,
} from '../usage.ts'
import { readAnthropicUsage } from './anthropic.ts'

/**
 * `usage` as OpenAI says it, in chat (`prompt_tokens`), in responses (`input_tokens`), and in what others made of either. Cached
 * and written tokens are part of the input here, reasoning is part of the output but where the notes say otherwise.
 */
export function readOpenAiUsage(usage: JsonObject): Counts {
  const names = ['cache_read_input_tokens', 'cache_creation_input_tokens']
  if (usage['prompt_tokens'] === undefined && names.some((name) => usage[name] !== undefined))
    return readAnthropicUsage(usage)
  const counts = noCounts()
  const inputDetails =
    usage['prompt_tokens_details'] ?? usage['input_tokens_details'] ?? usage['input_token_details'] ?? undefined
  const outputDetails =
    usage['completion_tokens_details'] ?? usage['output_tokens_details'] ?? usage['output_token_details'] ?? undefined
  counts.input = countOf(usage['prompt_tokens']) ?? countOf(usage['input_tokens'])
  counts.cached =
    countOf(memberOf(inputDetails, 'cached_tokens')) ??
    countOf(usage['prompt_cache_hit_tokens']) ??
    countOf(usage['cached_tokens']) ??
    countOf(usage['num_cached_tokens']) ??
    countOf(usage['cache_read_input_tokens'])
  counts.cacheWrite =
    countOf(memberOf(inputDetails, 'cache_write_tokens')) ??
    countOf(memberOf(inputDetails, 'cache_creation_tokens')) ??
    countOf(usage['cache_creation_input_tokens'])
  counts.output = countOf(usage['completion_tokens']) ?? countOf(usage['output_tokens'])
  counts.reasoning = countOf(memberOf(outputDetails, 'reasoning_tokens')) ?? countOf(usage['reasoning_tokens'])
  addLeftOut(usage, counts)
  // Voyage's and Jina's embeddings have a total alone.
  if (counts.input === undefined && counts.output === undefined) counts.input = countOf(usage['total_tokens'])
  counts.costUsd = costOf(usage)
  if (typeof usage['service_tier'] === 'string') counts.tier = usage['service_tier']
  addUnit(counts, 'input_audio_tokens', countOf(memberOf(inputDetails, 'audio_tokens')))
  addUnit(counts, 'input_image_tokens', countOf(memberOf(inputDetails, 'image_tokens')))
  addUnit(counts, 'output_audio_tokens', countOf(memberOf(outputDetails, 'audio_tokens')))
  addUnit(counts, 'output_image_tokens', countOf(memberOf(outputDetails, 'image_tokens')))
  // Transcriptions by the second (`type: duration`), Mistral's audio and pages, Perplexity's and xAI's searches.
  addUnit(counts, 'seconds', usage['seconds'] ?? usage['prompt_audio_seconds'])
  addUnit(counts, 'pages', usage['pages_processed'])
  addUnit(counts, 'web_search_requests', usage['num_search_queries'] ?? usage['num_sources_used'])
  addUnit(counts, 'citation_tokens', countOf(usage['citation_tokens']))
  return fitParts(counts)
}

/** Output that some do not count as output: xAI's reasoning in chat, Perplexity's reasoning and citations. */
function addLeftOut(usage: JsonObject, counts: Counts): void {
  const { input, output, reasoning } = counts
  if (output === undefined) return
  const isPerplexity =
    countOf(usage['citation_tokens']) !== undefined || countOf(usage['num_search_queries']) !== undefined
  if (reasoning !== undefined && reasoning > 0) {
    const isOutside =
      isPerplexity ||
      reasoning > output ||
      (input !== undefined && countOf(usage['total_tokens']) === input + output + reasoning)
    if (isOutside) counts.output = sumOf(output, reasoning)
  }
  if (isPerplexity) counts.output = sumOf(counts.output, countOf(usage['citation_tokens']))
}

function costOf(usage: JsonObject): string | undefined {
  if (usage['cost_in_usd_ticks'] !== undefined) return dollarsOfTicks(usage['cost_in_usd_ticks'])
  return dollars(usage['cost']) ?? dollars(memberOf(usage['cost'], 'total_cost'))
}
