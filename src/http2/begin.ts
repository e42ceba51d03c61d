import { isRefused } from '../http/downstream.ts'
import { parseRequestHead } from '../http1/parse-request.ts'
import { ERROR } from './frames.ts'
import type { FieldList } from './hpack-decoder.ts'
import { requestText } from './request-text.ts'
import type { ServerStream } from './server-stream.ts'

/**
 * Begins the exchange of a stream whose head has come. `isWhole`: it has ended with that. What is malformed by the rules of HTTP/2 is an
 * error of the stream as well; everything else is judged, and refused, as it would be over HTTP/1.
 */
export function begin<E>(stream: ServerStream<E>, list: FieldList, isWhole: boolean): void {
  if (list.isTooLarge) {
    stream.refuse({ failure: 'head_too_large', hasRequestLine: true, ...shownOf(list) }, isWhole, ERROR.none)
    return
  }
  const text = requestText(list, isWhole)
  if (typeof text !== 'string') {
    const { method, target, cause } = text
    stream.refuse({ failure: 'bad_field', hasRequestLine: true, method, target, cause }, isWhole, ERROR.protocol)
    return
  }
  const head = parseRequestHead(text, 0)
  if (isRefused(head)) stream.refuse(head, isWhole, ERROR.none)
  else stream.open(head, isWhole)
}

/** Of a list that was not kept whole: what its record shows. */
function shownOf({ names, values, count }: FieldList): { method: string; target: string } {
  const of = (name: string): string => {
    const at = names.indexOf(name)
    return at === -1 || at >= count || !/^[\x21-\x7e]*$/.test(values[at]!) ? '' : values[at]!
  }
  return { method: of(':method'), target: of(':path') }
}
