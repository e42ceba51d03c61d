import { STATUS_CODES } from 'node:http'
import type { Cause } from '../cause.ts'
import type { FieldList } from './hpack-decoder.ts'
import { CHUNKED_LINE, faultOfField, NO_CONTENT_LINE } from './request-text.ts'

/** Why a response head is none. */
export interface MalformedResponse {
  readonly cause: Cause
}

const STATUS = /^[1-5][0-9]{2}$/

/**
 * The head of a response as HTTP/1.1 text, for the same reasons as that of a request. It gets the usual reason phrase, since some
 * clients show it. `isWhole`: the stream ends with it.
 */
export function responseText(list: FieldList, method: string, isWhole: boolean): string | MalformedResponse {
  const { names, values, count } = list
  const status = values[0]
  if (count === 0 || names[0] !== ':status' || !STATUS.test(status!) || status === '101')
    return { cause: 'pseudo_header' }
  const code = Number(status)
  if (code < 200 && isWhole) return { cause: 'status' }
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[code] ?? ''}\r\n`
  let length: string | undefined
  for (let i = 1; i < count; i++) {
    const name = names[i]!
    const value = values[i]!
    const cause = faultOfField(name, value)
    if (cause !== undefined) return { cause }
    if (name === 'content-length') length = value
    text += `${name}: ${value}\r\n`
  }
  const hasNone = method === 'HEAD' || code < 200 || code === 204 || code === 304
  if (!hasNone && isWhole && length !== undefined && length !== '0') return { cause: 'content_length' }
  if (!hasNone && length === undefined) text += isWhole ? NO_CONTENT_LINE : CHUNKED_LINE
  return `${text}\r\n`
}
