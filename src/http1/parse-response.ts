import type { Cause } from '../cause.ts'
import { FIELD } from '../http/fields.ts'
import type { FieldLine, Framing, ResponseHead } from '../http/message.ts'
import { CR, isFieldValueOctet, LF, SP } from '../http/octets.ts'
import {
  addConnectionOptions,
  type ConnectionOptions,
  isLineEnd,
  parseContentLength,
  parseFieldSection,
  withNominated,
} from './field-section.ts'

/** What every response starts with; anything else is known for nonsense before its head is whole. */
const RESPONSE_PREFIX = 'HTTP/1.'

/** Whether the beginning of a head may still turn out to be HTTP/1. */
export function couldBecomeResponse(text: string): boolean {
  return text.length >= RESPONSE_PREFIX.length ? text.startsWith(RESPONSE_PREFIX) : RESPONSE_PREFIX.startsWith(text)
}

const STATUS_START = 'HTTP/1.x '.length

/**
 * Parses the response head at `text[0..]` (latin-1), which must contain its empty line, or break before it. A cause: not valid
 * HTTP/1.1, or framed in a way that two readers could read differently; the connection is of no use any more.
 */
export function parseResponseHead(text: string, requestMethod: string): ResponseHead | Cause {
  const status = parseStatus(text)
  if (typeof status === 'string') return status
  const lineEnd = statusLineEnd(text)
  if (text.charCodeAt(lineEnd) !== CR || text.charCodeAt(lineEnd + 1) !== LF) {
    return isLineEnd(text.charCodeAt(lineEnd)) ? 'line_end' : 'reason'
  }
  const fieldsStart = lineEnd + 2
  const section = parseFieldSection(text, fieldsStart)
  if (section.end === -1) return section.cause!
  const isHttp10 = text.charCodeAt(RESPONSE_PREFIX.length) === 0x30
  const found = readFields(text, section.lines)
  const framed = frame(found, status, requestMethod, isHttp10)
  if (typeof framed === 'string') return framed
  const nominated = found.connection.nominated
  return {
    text,
    start: 0,
    end: section.end,
    status,
    isHttp10,
    fieldsStart,
    lines: nominated === undefined ? section.lines : withNominated(text, fieldsStart, section.lines, nominated),
    framing: framed.framing,
    contentLength: framed.contentLength,
    contentLengthText: found.lengthLines === 1 ? found.contentLengthText : undefined,
    endsConnection: isHttp10 || found.connection.hasClose || framed.framing === 'until-close' || framed.hasBoth,
    hasBothFramings: framed.hasBoth,
    keepAliveSeconds: found.keepAliveSeconds,
    requestId:
      found.requestIdLine === undefined
        ? undefined
        : text.slice(found.requestIdLine.valueStart, found.requestIdLine.valueEnd),
    requestIdLine: found.requestIdLine,
    repeated: undefined,
  }
}

/** `HTTP/1.0` or `HTTP/1.1`, one blank, a status from 100 to 599, then a blank or the end of the line. */
function parseStatus(text: string): number | Cause {
  if (!text.startsWith(RESPONSE_PREFIX)) return 'version'
  const minor = text.charCodeAt(RESPONSE_PREFIX.length)
  if (minor !== 0x30 && minor !== 0x31) return 'version'
  if (text.charCodeAt(STATUS_START - 1) !== SP) return 'status'
  let status = 0
  for (let i = 0; i < 3; i++) {
    const digit = text.charCodeAt(STATUS_START + i) - 0x30
    if (!(digit >= 0 && digit <= 9)) return 'status'
    status = status * 10 + digit
  }
  const after = text.charCodeAt(STATUS_START + 3)
  if (after === LF) return 'line_end'
  if (after !== SP && after !== CR) return 'status'
  return status >= 100 && status <= 599 ? status : 'status'
}

/** Where the reason phrase ends. */
function statusLineEnd(text: string): number {
  let i = STATUS_START + 3
  while (isFieldValueOctet(text.charCodeAt(i))) i++
  return i
}

interface ResponseFields {
  connection: ConnectionOptions
  contentLengthText: string | undefined
  lengthLines: number
  coding: string | undefined
  keepAliveSeconds: number | undefined
  requestIdLine: FieldLine | undefined
}

function readFields(text: string, lines: readonly FieldLine[]): ResponseFields {
  const found: ResponseFields = {
    connection: { hasClose: false, hasUpgrade: false, nominatesProtected: false, nominated: undefined },
    contentLengthText: undefined,
    lengthLines: 0,
    coding: undefined,
    keepAliveSeconds: undefined,
    requestIdLine: undefined,
  }
  for (const line of lines) {
    switch (line.field) {
      case FIELD.contentLength:
        found.contentLengthText = text.slice(line.valueStart, line.valueEnd)
        found.lengthLines++
        break
      case FIELD.transferEncoding:
        found.coding =
          found.coding === undefined ? text.slice(line.valueStart, line.valueEnd).toLowerCase() : `${found.coding},`
        break
      case FIELD.connection:
        addConnectionOptions(found.connection, text.slice(line.valueStart, line.valueEnd))
        break
      case FIELD.keepAlive: {
        const timeout = /(?:^|[,;\s])timeout=(\d{1,9})/i.exec(text.slice(line.valueStart, line.valueEnd))
        if (timeout !== null) found.keepAliveSeconds = Number(timeout[1])
        break
      }
      case FIELD.xRequestId:
      case FIELD.requestId:
      case FIELD.apimRequestId:
      case FIELD.xAmznRequestId:
        if (isBetterId(text, line, found.requestIdLine)) found.requestIdLine = line
        break
    }
  }
  return found
}

/** More than this is no id. Cut it would be none either. */
const MAX_ID_BYTES = 128

/** Their numbers are the order in which they count; of several lines of one name the first does. */
function isBetterId(text: string, line: FieldLine, known: FieldLine | undefined): boolean {
  if (known !== undefined && known.field <= line.field) return false
  return isId(text, line.valueStart, line.valueEnd)
}

/** Whether `text[start..end)` can be what an upstream calls an exchange. */
export function isId(text: string, start: number, end: number): boolean {
  if (start === end || end - start > MAX_ID_BYTES) return false
  for (let i = start; i < end; i++) {
    const octet = text.charCodeAt(i)
    if (octet <= SP || octet > 0x7e) return false
  }
  return true
}

interface Framed {
  framing: Framing
  contentLength: number
  hasBoth: boolean
}

/** RFC 9112 section 6.3 for responses. */
function frame(found: ResponseFields, status: number, requestMethod: string, isHttp10: boolean): Framed | Cause {
  if (found.coding !== undefined && (isHttp10 || found.coding !== 'chunked' || status < 200)) {
    return 'transfer_encoding'
  }
  const hasBoth = found.coding !== undefined && found.lengthLines > 0
  // Also where no body can be: another reader may not know that, or go by the length of what it has in its cache.
  const contentLength = found.lengthLines === 1 ? parseContentLength(found.contentLengthText!) : undefined
  if (found.lengthLines > 0 && contentLength === undefined && !hasBoth) return 'content_length'
  if (requestMethod === 'HEAD' || status < 200 || status === 204 || status === 304) {
    return { framing: 'none', contentLength: 0, hasBoth }
  }
  if (found.coding !== undefined) return { framing: 'chunked', contentLength: 0, hasBoth }
  if (contentLength === undefined) return { framing: 'until-close', contentLength: 0, hasBoth: false }
  return { framing: contentLength === 0 ? 'none' : 'length', contentLength, hasBoth: false }
}
