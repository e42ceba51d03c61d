import { isForbiddenInTrailers } from '../http/fields.ts'
import type { FieldList } from './hpack-decoder.ts'
import { faultOfField } from './request-text.ts'

/** As the trailer section of chunks may be. */
const MAX_TRAILER_BYTES = 16_384

/** A trailer section as lines, without what must not travel in one; undefined: it is malformed (RFC 9113 section 8.1). */
export function trailerLines(list: FieldList): string | undefined {
  if (list.isTooLarge || list.bytes > MAX_TRAILER_BYTES) return undefined
  let lines = ''
  for (let i = 0; i < list.count; i++) {
    const name = list.names[i]!
    const value = list.values[i]!
    if (faultOfField(name, value) !== undefined) return undefined
    if (!isForbiddenInTrailers(name)) lines += `${name}: ${value}\r\n`
  }
  return lines
}
