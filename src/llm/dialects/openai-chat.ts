import { type Dialect, firstAt, hasError, lastUsage, modelAt, type Place, textAt } from '../dialect.ts'
import type { Document } from '../document.ts'
import { readOpenAiUsage } from './openai-usage.ts'

/** `x_groq.usage` is Groq's, in streams that were not asked for usage; `usage_info` is Mistral's for pages. */
const PLACES: readonly Place[] = [['usage'], ['x_groq', 'usage'], ['usage_info']]

const ANSWERS = /^(?:chat\.completion|text_completion|edit$|thread\.run)/
const EVENTS = /^(?:transcript\.|speech\.|image_generation\.|image_edit\.)/

/**
 * OpenAI's chat, completions, embeddings, images, audio and moderations, and all that is compatible. In a stream the last usage
 * counts: it comes with empty `choices`, or as a running total on every chunk.
 */
export const openAiChat: Dialect = {
  path: /\/(?:chat\/completions|completions|embeddings|images\/\w+|audio\/\w+|moderations|ocr|runs)$/,
  knows: (document) => isAnswer(document) || textAt(document, 'object') === 'list',
  read({ isStream, first, last, isDone }) {
    const isBatch = /batch/.test(String(firstAt(first, 'object')))
    const { counts, isUnsound } = isBatch
      ? { counts: undefined, isUnsound: false }
      : lastUsage(last, PLACES, readOpenAiUsage)
    const tier = firstAt(last, 'service_tier')
    if (counts !== undefined && counts.tier === undefined && typeof tier === 'string') counts.tier = tier
    return {
      counts,
      isUnsound,
      model: isBatch ? undefined : (modelAt(first, 'model') ?? modelAt(last, 'model')),
      isAnswer: first.some(isAnswer) || last.some(isAnswer),
      end: isDone ? 'final' : isStream && hasError(last[0]) ? 'open' : 'counted',
      isOutOfReach: false,
    }
  },
}

function isAnswer(document: Document): boolean {
  return (
    Array.isArray(document.get('choices')) ||
    ANSWERS.test(textAt(document, 'object')) ||
    EVENTS.test(textAt(document, 'type'))
  )
}
