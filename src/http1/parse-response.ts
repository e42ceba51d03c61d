import { FIELD } from '../http/fields.ts'
import type { FieldLine, Framing, ResponseHead } from '../http/message.ts'
import { CR, isFieldValueOctet, LF, SP } from '../http/octets.ts'
import {
  addConnectionOptions,
  type ConnectionOptions,
  parseContentLength,
  parseFieldSection,
  withNominated,
} from './field-section.ts'

/** What every response starts with; anything else is known for nonsense before its head is whole. */
export const RESPONSE_PREFIX = 'HTTP/1.'

const STATUS_START = 'HTTP/1.x '.length

/**
 * Parses the response head at `text[0..]` (latin-1), which must contain its empty line. Undefined: not valid HTTP/1.1, or
 * framed in a way that two readers could read differently; the connection is of no use any more.
 */
export function parseResponseHead(text: string, requestMethod: string): ResponseHead | undefined {
  const status = parseStatus(text)
  if (status === undefined) return undefined
  const lineEnd = statusLineEnd(text)
  if (lineEnd === -1) return undefined
  const fieldsStart = lineEnd + 2
  const section = parseFieldSection(text, fieldsStart)
  if (section.end === -1) return undefined
  const isHttp10 = text.charCodeAt(RESPONSE_PREFIX.length) === 0x30
  const found = readFields(text, section.lines)
  const framed = frame(found, status, requestMethod, isHttp10)
  if (framed === undefined) return undefined
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
  }
}

/** `HTTP/1.0` or `HTTP/1.1`, one blank, a status from 100 to 599, then a blank or the end of the line. */
function parseStatus(text: string): number | undefined {
  if (!text.startsWith(RESPONSE_PREFIX)) return undefined
  const minor = text.charCodeAt(RESPONSE_PREFIX.length)
  if ((minor !== 0x30 && minor !== 0x31) || text.charCodeAt(STATUS_START - 1) !== SP) return undefined
  let status = 0
  for (let i = 0; i < 3; i++) {
    const digit = text.charCodeAt(STATUS_START + i) - 0x30
    if (!(digit >= 0 && digit <= 9)) return undefined
    status = status * 10 + digit
  }
  const after = text.charCodeAt(STATUS_START + 3)
  if (after !== SP && after !== CR) return undefined
  return status >= 100 && status <= 599 ? status : undefined
}

function statusLineEnd(text: string): number {
  let i = STATUS_START + 3
  while (isFieldValueOctet(text.charCodeAt(i))) i++
  return text.charCodeAt(i) === CR && text.charCodeAt(i + 1) === LF ? i : -1
}

interface ResponseFields {
  connection: ConnectionOptions
  contentLengthText: string | undefined
  lengthLines: number
  coding: string | undefined
  keepAliveSeconds: number | undefined
}

function readFields(text: string, lines: readonly FieldLine[]): ResponseFields {
  const found: ResponseFields = {
    connection: { hasClose: false, hasUpgrade: false, nominatesProtected: false, nominated: undefined },
    contentLengthText: undefined,
    lengthLines: 0,
    coding: undefined,
    keepAliveSeconds: undefined,
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
    }
  }
  return found
}

interface Framed {
  framing: Framing
  contentLength: number
  hasBoth: boolean
}

/** RFC 9112 section 6.3 for responses. */
function frame(found: ResponseFields, status: number, requestMethod: string, isHttp10: boolean): Framed | undefined {
  if (found.coding !== undefined && (isHttp10 || found.coding !== 'chunked' || status < 200)) return undefined
  const hasBoth = found.coding !== undefined && found.lengthLines > 0
  // Also where no body can be: another reader may not know that, or go by the length of what it has in its cache.
  const contentLength = found.lengthLines === 1 ? parseContentLength(found.contentLengthText!) : undefined
  if (found.lengthLines > 0 && contentLength === undefined && !hasBoth) return undefined
  if (requestMethod === 'HEAD' || status < 200 || status === 204 || status === 304) {
    return { framing: 'none', contentLength: 0, hasBoth }
  }
  if (found.coding !== undefined) return { framing: 'chunked', contentLength: 0, hasBoth }
  if (contentLength === undefined) return { framing: 'until-close', contentLength: 0, hasBoth: false }
  return { framing: contentLength === 0 ? 'none' : 'length', contentLength, hasBoth: false }
}
