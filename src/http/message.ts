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

/** What becomes of one line of interest: undefined passes it, '' removes it, other text stands in its place (with its CRLF). */
export type LineEdit = string | undefined

/** What is done to a head that goes on: the rest of it stays byte for byte. */
export interface EditedHead {
  /** With its CRLF; undefined: as it came. */
  readonly startLine: string | undefined
  /** Those that are looked at, in order: `head.lines`, or more than these. */
  readonly lines: readonly FieldLine[]
  /** One for each of `lines`. */
  readonly edits: readonly LineEdit[]
  /** Further whole lines for the end of the section, with their CRLF. */
  readonly appended: string
}

/**
 * A head that repeats an earlier one of its connection, in the form in which it goes on: copied once, from the buffer that it came
 * in to the memory that it is written from. Valid as long as that buffer, which is during the call that tells of the head.
 */
export interface RepeatedHead {
  /** Bytes of it. */
  readonly length: number
  /** Copies it to the start of `target`, and behind it so many bytes of its body. */
  copyTo(target: Buffer, bodyLength: number): void
  /** In latin-1, for when it has to wait. */
  text(): string
}

/** One object that stands for one head after the other. */
export type Writable<Head> = { -readonly [Name in keyof Head]: Head[Name] }

/** What has been decided about a head, for those that repeat it. */
export interface Clearance {
  /** How it goes on. */
  readonly edited: EditedHead
  /** It would be decided the same now. */
  isInForce(): boolean
  /** Nobody reads the values of fields with this name (in lower case); of those that the gateway does not look at by itself. */
  ignores(name: string): boolean
  /** Whether this line of such a field may stand there; without its line end. */
  admits(line: string): boolean
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
  /** Set when the head has been let through. */
  clearance: Clearance | undefined
  /**
   * The head repeats an earlier one, whose text and lines stand here: it differs from them in nothing that anybody reads, but for its
   * length. Undefined: it is the only one.
   */
  readonly repeated: RepeatedHead | undefined
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
  /** The line that says so. */
  readonly requestIdLine: FieldLine | undefined
  /** It came over HTTP/2: what its text has of HTTP/1 was added here. */
  readonly isHttp2?: true
  /** As in `RequestHead`: it differs from the text and the lines in length, request id and what nobody reads. */
  readonly repeated: RepeatedHead | undefined
}
