import type { Cause } from '../cause.ts'
import type { FailureCode } from '../failure.ts'
import type { RefusedHead } from '../http/downstream.ts'
import { FIELD } from '../http/fields.ts'
import { isValidHost } from '../http/host.ts'
import { type FieldLine, type Framing, MAX_REQUEST_FIELD_LINES, type RequestHead } from '../http/message.ts'
import { isMisspelled } from '../http/method.ts'
import { IS_TOKEN, SP } from '../http/octets.ts'
import { MAX_TARGET_BYTES, type OriginForm, parseTarget } from '../http/target.ts'
import {
  addConnectionOptions,
  type ConnectionOptions,
  listMembers,
  parseContentLength,
  parseFieldSection,
  withNominated,
} from './field-section.ts'

/**
 * Parses the request head at `text[start..]` (latin-1), which must contain its empty line. Every rule whose breach could let
 * the next hop see another message than we do ends here (RFC 9112 section 11.2).
 */
export function parseRequestHead(text: string, start: number): RequestHead | RefusedHead {
  const line = parseRequestLine(text, start)
  if ('failure' in line) return line
  const { method, target, origin, fieldsStart } = line
  const section = parseFieldSection(text, fieldsStart)
  if (section.end === -1) return refused(line, 'bad_field', section.cause)
  if (section.count > MAX_REQUEST_FIELD_LINES) return refused(line, 'head_too_large')
  const found = readFields(text, section.lines, origin.authority)
  if (found.failure !== undefined) return refused(line, found.failure, found.cause)
  const nominated = found.connection.nominated
  return {
    text,
    start,
    end: section.end,
    method,
    target,
    pathAndQuery: origin.pathAndQuery,
    pathLength: origin.pathLength,
    fieldsStart,
    lines: nominated === undefined ? section.lines : withNominated(text, fieldsStart, section.lines, nominated),
    framing: found.framing,
    contentLength: found.contentLength,
    contentLengthText: found.contentLengthText,
    wantsClose: found.connection.hasClose,
    isWebSocketUpgrade: found.connection.hasUpgrade && found.offersWebSocket,
    expectsContinue: found.expectsContinue,
    hasUnknownExpectation: found.hasUnknownExpectation,
    clearance: undefined,
    repeated: undefined,
  }
}

function refused({ method, target }: RequestLine, failure: FailureCode, cause?: Cause): RefusedHead {
  return { failure, hasRequestLine: true, method, target, cause }
}

export interface RequestLine {
  readonly method: string
  readonly target: string
  readonly origin: OriginForm
  /** Behind its line end. */
  readonly fieldsStart: number
}

/** Judges the request line at `text[start..]`, whose line end must be there; nothing else needs to be. */
export function parseRequestLine(text: string, start: number): RequestLine | RefusedHead {
  const methodEnd = skipMethod(text, start)
  const method = text.slice(start, methodEnd)
  const lineEnd = text.indexOf('\r', methodEnd)
  if (method === '' || text.charCodeAt(methodEnd) !== SP || text.indexOf('\n', methodEnd) !== lineEnd + 1) {
    return { failure: noRequestLine(text, start), hasRequestLine: true, method, target: '' }
  }
  const targetEnd = text.indexOf(' ', methodEnd + 1)
  if (targetEnd === -1 || targetEnd > lineEnd) {
    return { failure: noRequestLine(text, start), hasRequestLine: true, method, target: '' }
  }
  const target = text.slice(methodEnd + 1, targetEnd)
  const failure = checkRequestLine(method, target, text.slice(targetEnd + 1, lineEnd))
  if (failure !== undefined) {
    const told = failure === 'bad_request_line' ? noRequestLine(text, start) : failure
    return { failure: told, hasRequestLine: true, method, target }
  }
  const origin = parseTarget(target)
  if (origin === 'bad_target') return { failure: 'bad_target', hasRequestLine: true, method, target }
  return { method, target, origin, fieldsStart: lineEnd + 2 }
}

/** A balancer may speak first where nobody has said that it would: that deserves a word of its own. */
const PROXY_HEADER = /PROXY (?:TCP[46] |UNKNOWN[ \r])/y

function noRequestLine(text: string, start: number): FailureCode {
  PROXY_HEADER.lastIndex = start
  return PROXY_HEADER.test(text) ? 'unexpected_proxy_header' : 'bad_request_line'
}

function skipMethod(text: string, start: number): number {
  let i = start
  while (IS_TOKEN[text.charCodeAt(i)] === 1) i++
  return i
}

function checkRequestLine(method: string, target: string, version: string): FailureCode | undefined {
  if (version !== 'HTTP/1.1') return /^HTTP\/[0-9]\.[0-9]$/.test(version) ? 'version_not_supported' : 'bad_request_line'
  if (method === 'CONNECT' || method === 'TRACE') return 'method_not_implemented'
  if (target === '' || isMisspelled(method)) return 'bad_request_line'
  if (target.length > MAX_TARGET_BYTES) return 'target_too_long'
  return undefined
}

interface RequestFields {
  failure: FailureCode | undefined
  cause: Cause | undefined
  connection: ConnectionOptions
  framing: Framing
  contentLength: number
  contentLengthText: string | undefined
  offersWebSocket: boolean
  expectsContinue: boolean
  hasUnknownExpectation: boolean
}

function readFields(text: string, lines: readonly FieldLine[], authority: string | undefined): RequestFields {
  const found: RequestFields = {
    failure: undefined,
    cause: undefined,
    connection: { hasClose: false, hasUpgrade: false, nominatesProtected: false, nominated: undefined },
    framing: 'none',
    contentLength: 0,
    contentLengthText: undefined,
    offersWebSocket: false,
    expectsContinue: false,
    hasUnknownExpectation: false,
  }
  let host: string | undefined
  let hostLines = 0
  let coding: string | undefined
  let framingLines = 0
  for (const line of lines) {
    switch (line.field) {
      case FIELD.host:
        host = text.slice(line.valueStart, line.valueEnd)
        hostLines++
        break
      case FIELD.contentLength:
        found.contentLengthText = text.slice(line.valueStart, line.valueEnd)
        framingLines++
        break
      case FIELD.transferEncoding:
        coding = coding === undefined ? text.slice(line.valueStart, line.valueEnd) : `${coding},`
        framingLines++
        break
      case FIELD.framingTwin:
        refuse(found, 'bad_framing', 'underscore')
        break
      case FIELD.connection:
        addConnectionOptions(found.connection, text.slice(line.valueStart, line.valueEnd))
        break
      case FIELD.upgrade:
        found.offersWebSocket ||= listMembers(text.slice(line.valueStart, line.valueEnd)).includes('websocket')
        break
      case FIELD.expect:
        if (text.slice(line.valueStart, line.valueEnd).toLowerCase() === '100-continue') found.expectsContinue = true
        else found.hasUnknownExpectation = true
        break
    }
  }
  if (found.failure !== undefined) return found
  if (hostLines !== 1) refuse(found, 'bad_host', hostLines === 0 ? 'no_host' : 'two_hosts')
  else if (!isValidHost(host!)) refuse(found, 'bad_host', 'host')
  else if (authority !== undefined && authority.toLowerCase() !== host!.toLowerCase())
    refuse(found, 'bad_host', 'authority')
  else if (found.connection.nominatesProtected) refuse(found, 'bad_connection', nominatedBy(text, lines))
  else frame(found, coding, framingLines)
  return found
}

function refuse(found: RequestFields, failure: FailureCode, cause?: Cause): void {
  found.failure = failure
  found.cause = cause
}

/** What the Connection lines nominate of that which they must not. */
function nominatedBy(text: string, lines: readonly FieldLine[]): Cause {
  const names = lines
    .filter((line) => line.field === FIELD.connection)
    .flatMap((line) => listMembers(text.slice(line.valueStart, line.valueEnd)))
  if (names.includes('content-length') || names.includes('transfer-encoding')) return 'nominates_framing'
  return names.includes('host') ? 'nominates_host' : 'nominates_credential'
}

/** RFC 9112 section 6.3, without any of its leniencies: one length, or one `chunked`, or no body. */
function frame(found: RequestFields, coding: string | undefined, framingLines: number): void {
  if (framingLines === 0) return
  if (coding !== undefined) {
    if (found.contentLengthText !== undefined) refuse(found, 'bad_framing', 'two_framings')
    else if (coding.toLowerCase() !== 'chunked') refuse(found, 'bad_transfer_coding')
    else found.framing = 'chunked'
    return
  }
  const length = framingLines === 1 ? parseContentLength(found.contentLengthText!) : undefined
  if (length === undefined) {
    refuse(found, 'bad_framing', 'content_length')
    return
  }
  found.contentLength = length
  found.framing = length === 0 ? 'none' : 'length'
}

/** The request line of a head that is not whole or not valid, for the record of its refusal. */
export function readRequestLine(text: string): { hasRequestLine: boolean; method: string; target: string } {
  const lineEnd = text.indexOf('\n')
  if (lineEnd === -1) return { hasRequestLine: false, method: '', target: '' }
  // As the parser of whole heads has it: what is no method may be a field, with its key.
  const methodEnd = skipMethod(text, 0)
  const [before, target = ''] = text.slice(methodEnd, lineEnd).trimEnd().split(' ', 2)
  return { hasRequestLine: true, method: text.slice(0, methodEnd), target: before === '' ? target : '' }
}
