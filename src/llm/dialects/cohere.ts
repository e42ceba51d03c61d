import { type Dialect, firstAt, hasError, lastUsage, modelAt, type Place, textAt } from '../dialect.ts'
import type { Document } from '../document.ts'
import { addUnit, type Counts, countOf, fitParts, type JsonObject, memberOf, noCounts, objectOf } from '../usage.ts'

/** Chat of version 2, its stream, everything else, and the stream of version 1. */
const PLACES: readonly Place[] = [['usage'], ['delta', 'usage'], ['meta'], ['response', 'meta']]

const EVENTS = /^(?:message|content|tool-call|tool-plan|citation)-(?:start|delta|end)$/

/** Cohere: chat, embed, rerank, classify. What it bills is what counts; tokens where it says no more. */
export const cohere: Dialect = {
  path: /\/v[12]\/(?:chat|embed|rerank|classify|generate|summarize)$/,
  knows: (document) =>
    isEvent(document) ||
    objectOf(memberOf(document.get('usage'), 'billed_units')) !== undefined ||
    objectOf(memberOf(document.get('meta'), 'billed_units')) !== undefined,
  read({ isStream, first, last }) {
    const { counts, isUnsound } = lastUsage(last, PLACES, readCohereUsage)
    const isLast = last.some((one) => isEnd(one))
    return {
      counts,
      // `meta` is there without units in answers that cost nothing.
      isUnsound: isUnsound && firstAt(last, 'usage') !== undefined,
      model: modelAt(first, 'model'),
      isAnswer: isStream || firstAt(last, 'message') !== undefined || firstAt(last, 'generation_id') !== undefined,
      end: isStream && hasError(last[0]) ? 'open' : isLast && counts !== undefined ? 'final' : 'counted',
      isOutOfReach: false,
    }
  },
}

function isEvent(document: Document): boolean {
  return EVENTS.test(textAt(document, 'type')) || /^(?:stream|text)-/.test(textAt(document, 'event_type'))
}

function isEnd(document: Document): boolean {
  return textAt(document, 'type') === 'message-end' || textAt(document, 'event_type') === 'stream-end'
}

export function readCohereUsage(usage: JsonObject): Counts {
  const counts = noCounts()
  const billed = usage['billed_units']
  const tokens = usage['tokens']
  counts.input = countOf(memberOf(billed, 'input_tokens')) ?? countOf(memberOf(tokens, 'input_tokens'))
  counts.output = countOf(memberOf(billed, 'output_tokens')) ?? countOf(memberOf(tokens, 'output_tokens'))
  counts.cached = countOf(usage['cached_tokens'])
  addUnit(counts, 'search_units', memberOf(billed, 'search_units'))
  addUnit(counts, 'images', memberOf(billed, 'images'))
  return fitParts(counts)
}
