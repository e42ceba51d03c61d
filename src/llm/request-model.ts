import { ModelSearch } from './model-search.ts'
import type { ModelSeeker } from './model-seeker.ts'

import { findInParts } from './request-parts.ts'

/** A seeker for content of this type; undefined where there is nothing to look for. */
export function seekModel(contentType: string): ModelSeeker | undefined {
  const type = contentType.toLowerCase()
  if (type.startsWith('multipart/form-data')) return findInParts(contentType)
  return type === '' || type.includes('json') ? new ModelSearch() : undefined
}
