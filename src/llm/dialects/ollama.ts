import { type Dialect, modelAt } from '../dialect.ts'
import type { Document } from '../document.ts'
import { countOf, isSound, noCounts } from '../usage.ts'

/** Ollama: a line a chunk unless it is told otherwise; the last one, `done`, has the counts. */
export const ollama: Dialect = {
  path: /\/api\/(?:chat|generate|embed|embeddings)$/,
  knows: isAnswer,
  read({ isStream, first, last }) {
    const counts = noCounts()
    // A line that has broken off may have one of its counts, and lack the other.
    const final = last.find((document) => document.isEnded && hasCounts(document)) ?? last.find(hasCounts)
    counts.input = countOf(final?.get('prompt_eval_count'))
    counts.output = countOf(final?.get('eval_count'))
    return {
      counts: isSound(counts) ? counts : undefined,
      isUnsound: final !== undefined && !isSound(counts),
      model: modelAt(first, 'model') ?? modelAt(last, 'model'),
      isAnswer: first.some(isAnswer) || last.some(isAnswer),
      end: !isStream ? 'counted' : final?.isEnded === true ? 'final' : 'open',
      isOutOfReach: false,
    }
  },
}

function hasCounts(document: Document): boolean {
  return document.get('prompt_eval_count') !== undefined || document.get('eval_count') !== undefined
}

function isAnswer(document: Document): boolean {
  return typeof document.get('done') === 'boolean' || hasCounts(document)
}
