import { contentWordsOf } from './content-words.ts'
import { ModelSearch } from './model-search.ts'
import type { ModelSeeker } from './model-seeker.ts'
import { findInParts } from './request-parts.ts'

/** A seeker for content of this type; undefined where there is nothing to look for. */
export function seekModel(contentType: string): ModelSeeker | undefined {
  const { ofRequest } = contentWordsOf(contentType)
  if (ofRequest === 'parts') return findInParts(contentType)
  return ofRequest === 'json' ? new ModelSearch() : undefined
}
