import type { Field } from './fields.ts'

/**
 * The head of a message as the bytes that it came in, plus what the gateway found in it. Only the lines that it may have
 * to touch are listed; everything else is forwarded as whole runs of `text`.
 */

/** Upper bound of a head, start line and empty line included, and of the field lines of a request. */
export const MAX_HEAD_BYTES = 65_536
export const MAX_REQUEST_FIELD_LINES = 256

/**
 * A field line of interest. Offsets into the head's text; the value is without the white space around it, and `next` is
 * where the following line starts.
 */
export interface FieldLine {
  readonly field: Field
  readonly start: number
  readonly valueStart: number
  readonly valueEnd: number
  readonly next: number
}

/** Where a message body ends (RFC 9112 section 6.3). `contentLength` counts only under `length`. */
export type Framing = 'none' | 'length' | 'chunked' | 'until-close'

export interface RequestHead {
  /** latin-1; the head is `text[start..end)`, its empty line included. */
  readonly text: string
  readonly start: number
  readonly end: number
  readonly method: string
  /** As received. */
  readonly target: string
  readonly pathAndQuery: string
  readonly pathLength: number
  /** Start of the first field line. */
  readonly fieldsStart: number
  readonly lines: readonly FieldLine[]
  readonly framing: Framing
  readonly contentLength: number
  readonly contentLengthText: string | undefined
  /** `Connection: close`. */
  readonly wantsClose: boolean
  /** `Connection: upgrade` with `Upgrade: websocket`. */
  readonly isWebSocketUpgrade: boolean
  readonly expectsContinue: boolean
  /** An expectation other than 100-continue. */
  readonly hasUnknownExpectation: boolean
}

export interface ResponseHead {
  readonly text: string
  readonly start: number
  readonly end: number
  readonly status: number
  readonly isHttp10: boolean
  readonly fieldsStart: number
  readonly lines: readonly FieldLine[]
  readonly framing: Framing
  readonly contentLength: number
  readonly contentLengthText: string | undefined
  /** The connection ends with this message: HTTP/1.0, `Connection: close`, or a framing that two readers may read differently. */
  readonly endsConnection: boolean
  /** Both Content-Length and Transfer-Encoding: the chunks count, the length is removed (RFC 9112 section 6.3). */
  readonly hasBothFramings: boolean
  /** `Keep-Alive: timeout=…` in seconds, if announced. */
  readonly keepAliveSeconds: number | undefined
  /** What the upstream calls this exchange: up to 128 characters of visible ASCII. */
  readonly requestId: string | undefined
}
