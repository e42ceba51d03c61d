import type { Content } from '../content.ts'
import {
  type Dialect,
  type Found,
  firstAt,
  lastUsage,
  modelAt,
  NOTHING_FOUND,
  type Place,
  textAt,
  UNSAID,
} from '../dialect.ts'
import type { Document } from '../document.ts'
import type { Counts } from '../usage.ts'
import { readOpenAiUsage } from './openai-usage.ts'

/** With these a response ends; `response.done` and `response.cancelled` are Realtime's. */
export const LAST_EVENTS = /^response\.(?:completed|incomplete|failed|done|cancelled)$/

/**
 * OpenAI's responses. The last event repeats the whole answer and may be larger than all that is kept: then its end alone says
 * that something stands at the level of `response.usage`.
 */
export const openAiResponses: Dialect = {
  path: /\/responses(?:\/compact)?$/,
  knows: (document) => isEvent(document) || isResponse(document),
  read: (content) => (content.isStream ? readStream(content) : readOne(content)),
}

function isEvent(document: Document): boolean {
  return textAt(document, 'type').startsWith('response.')
}

function isResponse(document: Document): boolean {
  return /^response(?:\.compaction)?$/.test(textAt(document, 'object'))
}

/** What goes on in the background is billed once, and would be counted with every look at it. */
function isInBackground(documents: readonly Document[], ...path: Place): boolean {
  return firstAt(documents, ...path) === true
}

function readOne({ first, last }: Content): Found {
  if (isInBackground(first, 'background')) return { ...NOTHING_FOUND, model: modelAt(first, 'model') }
  const { counts, isUnsound } = lastUsage(last, [['usage']], readOpenAiUsage)
  withTier(counts, firstAt(last, 'service_tier'))
  const status = firstAt(first, 'status') ?? firstAt(last, 'status')
  return {
    counts,
    isUnsound,
    model: modelAt(first, 'model') ?? modelAt(last, 'model'),
    isAnswer: first.some(isResponse) && status !== 'queued' && status !== 'in_progress',
    end: 'counted',
    isOutOfReach: false,
  }
}

function readStream({ first, last }: Content): Found {
  const model = modelAt(first, 'response', 'model') ?? modelAt(last, 'response', 'model')
  if (isInBackground(first, 'response', 'background')) return { ...NOTHING_FOUND, model }
  const ends = last.filter((document) => isLast(document))
  const { counts, isUnsound } = ends.length === 0 ? UNSAID : lastUsage(ends, [['response', 'usage']], readOpenAiUsage)
  withTier(counts, firstAt(ends, 'response', 'service_tier'))
  const newest = last[0]
  return {
    counts,
    isUnsound,
    model,
    isAnswer: first.some(isEvent) || last.some(isEvent),
    end: counts === undefined ? 'open' : 'final',
    isOutOfReach: counts === undefined && newest !== undefined && !newest.isWhole && textAt(newest, 'type') === '',
    isRepeated: true,
  }
}

/** Of an event whose beginning is not at hand, only the last one can be meant: no other is as large and has usage. */
function isLast(document: Document): boolean {
  const type = textAt(document, 'type')
  return LAST_EVENTS.test(type) || (type === '' && !document.isWhole)
}

function withTier(counts: Counts | undefined, tier: unknown): void {
  if (counts !== undefined && typeof tier === 'string') counts.tier ??= tier
}
