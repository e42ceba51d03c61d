import type { OwnAnswer } from '../http/downstream.ts'
import { FIELD } from '../http/fields.ts'
import type { EditedHead, FieldLine, LineEdit, RequestHead, ResponseHead } from '../http/message.ts'
import { listMembers } from './field-section.ts'

/**
 * Heads going out: whole runs of the received text, with single lines left out or their values replaced. What is not
 * touched stays byte for byte: order, spelling, spacing, repetition.
 */

const REMOVED = ''
const CLOSE_LINE = 'Connection: close\r\n'

/** Lines that are meant for one connection only (RFC 9110 section 7.6.1). */
export function connectionSpecificEdit(text: string, line: FieldLine): LineEdit {
  switch (line.field) {
    case FIELD.connection:
    case FIELD.keepAlive:
    case FIELD.proxyConnection:
    case FIELD.proxyAuthenticate:
    case FIELD.proxyAuthorization:
    case FIELD.upgrade:
    case FIELD.nominated:
      return REMOVED
    case FIELD.te:
      return trailersOnly(text, line)
    default:
      return undefined
  }
}

/** `TE` says two things: which codings this connection takes (not ours to pass on), and that trailers are welcome. */
function trailersOnly(text: string, line: FieldLine): LineEdit {
  const value = text.slice(line.valueStart, line.valueEnd)
  if (value === 'trailers') return undefined
  return listMembers(value).includes('trailers') ? `${text.slice(line.start, line.valueStart)}trailers\r\n` : REMOVED
}

/** The same line with another value: name, colon and spacing stay. */
export function withValue(text: string, line: FieldLine, valueStart: number, value: string): string {
  return text.slice(line.start, valueStart) + value + text.slice(line.valueEnd, line.next)
}

/** The head as it goes on. */
export function encodeHead(
  head: RequestHead | ResponseHead,
  { startLine, lines, edits, appended }: EditedHead,
): string {
  const { text } = head
  let out = startLine ?? text.slice(head.start, head.fieldsStart)
  let from = head.fieldsStart
  for (let i = 0; i < lines.length; i++) {
    const edit = edits[i]
    if (edit === undefined) continue
    const line = lines[i]!
    out += text.slice(from, line.start) + edit
    from = line.next
  }
  return `${out + text.slice(from, head.end - 2) + appended}\r\n`
}

export function editResponseHead(head: ResponseHead, addClose: boolean): EditedHead {
  const { text, lines } = head
  return {
    startLine: head.isHttp10 ? `HTTP/1.1${text.slice(head.start + 8, head.fieldsStart)}` : undefined,
    lines,
    edits: lines.map((line) => framingEdit(head, line) ?? connectionSpecificEdit(text, line)),
    appended: addClose ? CLOSE_LINE : '',
  }
}

export function encodeResponseHead(head: ResponseHead, addClose: boolean): string {
  // A switch of protocols: what it says of this connection is what the client has asked for.
  if (head.status === 101) return head.text.slice(head.start, head.end)
  return encodeHead(head, editResponseHead(head, addClose))
}

/** A head that says as well that the connection ends. */
export function closing(head: string): string {
  return `${head.slice(0, -2)}${CLOSE_LINE}\r\n`
}

/** A length beside chunks is removed (RFC 9112 section 6.3), and framing where no body can be (RFC 9112 section 6.1, RFC 9110 section 8.6). */
function framingEdit(head: ResponseHead, line: FieldLine): LineEdit {
  if (line.field === FIELD.contentLength) return head.hasBothFramings || head.status < 200 ? REMOVED : undefined
  if (line.field === FIELD.transferEncoding) return head.status === 204 ? REMOVED : undefined
  return undefined
}

export function encodeOwnAnswer(answer: OwnAnswer, isHead: boolean, addClose: boolean): string {
  let head = `HTTP/1.1 ${answer.status} ${answer.reason}\r\n`
  for (const [name, value] of answer.fields) head += `${name}: ${value}\r\n`
  // No length where no content can be (RFC 9110 section 8.6).
  if (answer.status !== 204) head += `Content-Length: ${answer.content.length}\r\n`
  head += `${addClose ? CLOSE_LINE : ''}\r\n`
  return isHead ? head : head + answer.content
}
