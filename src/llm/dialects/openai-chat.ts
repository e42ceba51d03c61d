import { type Dialect, firstAt, hasError, lastUsage, modelAt, type Place, type Said, textAt } from '../dialect.ts'
import type { Document } from '../document.ts'
import { memberOf } from '../usage.ts'
import { readOpenAiUsage } from './openai-usage.ts'

/** `usage_info` is Mistral's, for pages. */
const PLACES: readonly Place[] = [['usage'], ['usage_info']]
/** Groq's, in streams that were not asked for usage. It is small: no end of an event is taken for it. */
const GROQ: readonly Place[] = [['x_groq', 'usage']]

const ANSWERS = /^(?:chat\.completion|text_completion|edit$|thread\.run)/
const EVENTS = /^(?:transcript\.|speech\.|image_generation\.|image_edit\.)/
const LAST_EVENTS = /^(?:image_generation|image_edit)\.completed$|^(?:transcript\.text|speech\.audio)\.done$/

/**
 * OpenAI's chat, completions, embeddings, images, audio and moderations, and all that is compatible. In a stream the last usage
 * counts: it comes with empty `choices`, or as a running total on every chunk.
 */
export const openAiChat: Dialect = {
  path: /\/(?:chat\/completions|completions|embeddings|images\/\w+|audio\/\w+|moderations|ocr|runs)$/,
  knows: (document) => isAnswer(document) || textAt(document, 'object') === 'list' || hasOwnWords(document),
  read({ isStream, first, last, isDone }) {
    const isBatch = /batch/.test(String(firstAt(first, 'object')))
    // A stream may be a single event, of which the end is too far from its usage.
    const all = isStream ? [...last, ...first.filter((one) => LAST_EVENTS.test(textAt(one, 'type')))] : last
    const { counts, isUnsound } = isBatch ? { counts: undefined, isUnsound: false } : readUsage(all)
    const tier = firstAt(last, 'service_tier')
    if (counts !== undefined && counts.tier === undefined && typeof tier === 'string') counts.tier = tier
    return {
      counts,
      isUnsound,
      model: isBatch ? undefined : (modelAt(first, 'model') ?? modelAt(last, 'model')),
      isAnswer: first.some(isAnswer) || last.some(isAnswer),
      end: isDone ? 'final' : isStream && hasError(last[0]) ? 'open' : 'counted',
      isOutOfReach: counts === undefined && isStream && !isDone && last[0]?.isEnded === true && !last[0].isWhole,
    }
  },
}

/** Embeddings and rankings of others have no shape but that of their usage. */
function hasOwnWords(document: Document): boolean {
  const usage = document.get('usage')
  return ['prompt_tokens', 'total_tokens'].some((name) => memberOf(usage, name) !== undefined)
}

function readUsage(last: readonly Document[]): Said {
  const said = lastUsage(last, PLACES, readOpenAiUsage)
  if (said.counts !== undefined) return said
  const groq = lastUsage(
    last.filter(({ isWhole }) => isWhole),
    GROQ,
    readOpenAiUsage,
  )
  return groq.counts === undefined ? said : groq
}

function isAnswer(document: Document): boolean {
  return (
    Array.isArray(document.get('choices')) ||
    ANSWERS.test(textAt(document, 'object')) ||
    EVENTS.test(textAt(document, 'type'))
  )
}
