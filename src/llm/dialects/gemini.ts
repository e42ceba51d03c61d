import type { Content } from '../content.ts'
import { type Dialect, type Found, hasError, lastUsage, merged, modelAt, type Place, textAt } from '../dialect.ts'
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
  objectOf,
  sumOf,
} from '../usage.ts'

/** Gemini, of AI Studio and of Vertex, as events or as an array; and its interactions. Each chunk has the totals so far. */
export const gemini: Dialect = {
  path: /(?::(?:generateContent|streamGenerateContent|embedContent|batchEmbedContents)|\/interactions)$/,
  knows: (document) => isChunk(document) || isInteraction(document),
  read: (content) => (isInteractions(content) ? readInteraction(content) : readChunks(content)),
}

function isChunk(document: Document): boolean {
  return ['usageMetadata', 'candidates', 'promptFeedback'].some((name) => objectAt(document, name))
}

function objectAt(document: Document, name: string): boolean {
  const value = document.get(name)
  return typeof value === 'object' && value !== null
}

function isInteraction(document: Document): boolean {
  if (textAt(document, 'event_type').startsWith('interaction.') || textAt(document, 'object') === 'interaction')
    return true
  return memberOf(document.get('usage'), 'total_input_tokens') !== undefined
}

function isInteractions({ first, last }: Content): boolean {
  return first.some(isInteraction) || last.some(isInteraction)
}

const COUNTS = ['promptTokenCount', 'candidatesTokenCount', 'thoughtsTokenCount']

function readChunks({ isStream, first, last }: Content): Found {
  const said: JsonObject[] = []
  let isUnsound = false
  for (const document of last) {
    const value = document.get('usageMetadata')
    if (value === undefined || value === null) continue
    const usage = objectOf(value)
    if (usage === undefined) isUnsound = true
    else if (said.push(usage) && isComplete(usage)) break
  }
  const counts = readGeminiUsage(merged(said))
  // Vertex says `trafficType` alone at first; what is put into a cache has a total alone.
  isUnsound ||= said.some((usage) => COUNTS.some((name) => (usage[name] ?? null) !== null))
  return {
    counts: isSound(counts) ? counts : undefined,
    isUnsound: isUnsound && !isSound(counts),
    model: modelAt(last, 'modelVersion') ?? modelAt(first, 'modelVersion'),
    isAnswer: first.some(isChunk) || last.some(isChunk),
    end: isStream && hasError(last[0]) ? 'open' : 'counted',
    isOutOfReach: false,
  }
}

function isComplete(usage: JsonObject): boolean {
  return usage['promptTokenCount'] !== undefined && usage['candidatesTokenCount'] !== undefined
}

/** Cached tokens are part of the prompt, what tools brought is not; thoughts are not part of the candidates. */
export function readGeminiUsage(usage: JsonObject): Counts {
  const counts = noCounts()
  counts.input = sumOf(countOf(usage['promptTokenCount']), countOf(usage['toolUsePromptTokenCount']))
  counts.cached = countOf(usage['cachedContentTokenCount'])
  counts.reasoning = countOf(usage['thoughtsTokenCount'])
  const output = countOf(usage['candidatesTokenCount']) ?? countOf(usage['responseTokenCount'])
  counts.output = sumOf(output, counts.reasoning)
  addModality(counts, 'input_audio_tokens', usage['promptTokensDetails'], 'AUDIO')
  addModality(counts, 'output_audio_tokens', usage['candidatesTokensDetails'], 'AUDIO')
  addModality(counts, 'output_audio_tokens', usage['responseTokensDetails'], 'AUDIO')
  addModality(counts, 'input_image_tokens', usage['promptTokensDetails'], 'IMAGE')
  addModality(counts, 'output_image_tokens', usage['candidatesTokensDetails'], 'IMAGE')
  if (typeof usage['serviceTier'] === 'string') counts.tier = usage['serviceTier']
  else if (typeof usage['trafficType'] === 'string') counts.tier = usage['trafficType']
  return fitParts(counts)
}

function addModality(counts: Counts, unit: Parameters<typeof addUnit>[1], details: unknown, modality: string): void {
  if (!Array.isArray(details)) return
  for (const detail of details) {
    if (memberOf(detail, 'modality') === modality) addUnit(counts, unit, countOf(memberOf(detail, 'tokenCount')))
  }
}

function readInteraction({ isStream, first, last }: Content): Found {
  const places: readonly Place[] = [['interaction', 'usage'], ['usage']]
  const { counts, isUnsound } = lastUsage(last, places, readInteractionUsage)
  const model = modelAt(first, 'model') ?? modelAt(first, 'interaction', 'model')
  const isComplete = last.some((document) => textAt(document, 'event_type') === 'interaction.completed')
  return {
    counts,
    isUnsound,
    model: model ?? modelAt(last, 'model') ?? modelAt(last, 'interaction', 'model'),
    isAnswer: true,
    end: isStream && hasError(last[0]) ? 'open' : isComplete && counts !== undefined ? 'final' : 'counted',
    isOutOfReach: false,
  }
}

function readInteractionUsage(usage: JsonObject): Counts {
  const counts = noCounts()
  counts.input = sumOf(countOf(usage['total_input_tokens']), countOf(usage['total_tool_use_tokens']))
  counts.cached = countOf(usage['total_cached_tokens'])
  counts.reasoning = countOf(usage['total_thought_tokens'])
  counts.output = sumOf(countOf(usage['total_output_tokens']), counts.reasoning)
  return fitParts(counts)
}
