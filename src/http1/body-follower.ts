import type { Cause } from '../cause.ts'
import { isForbiddenInTrailers } from '../http/fields.ts'
import type { Framing } from '../http/message.ts'
import {
  BACKSLASH,
  COLON,
  CR,
  DQUOTE,
  EQUALS,
  HEX_VALUE,
  IS_TOKEN,
  isFieldValueOctet,
  LF,
  SEMICOLON,
  SP,
  TAB,
} from '../http/octets.ts'

/**
 * Follows a message body to its end (RFC 9112 sections 6 and 7), resumable at any byte, without decoding it: the bytes go
 * on as they came. Only two things are taken out: chunk extensions, and trailer fields that must not travel. Both are
 * closed over in place, in the read buffer, so that what goes on is always one run.
 *
 *      size-line: 1*HEXDIG [ chunk-ext ] CRLF        the extension is dropped
 *      data:      size octets CRLF
 *      trailers:  *( field-line CRLF ) CRLF          held line by line, then passed or dropped
 */

const MAX_CHUNK_LINE_BYTES = 4_096
const MAX_CHUNK_EXTENSION_BYTES = 16_384
const MAX_TRAILER_BYTES = 16_384

const STATE = {
  size: 0,
  extensionBlank: 1,
  extensionName: 2,
  extensionNameBlank: 3,
  extensionValueStart: 4,
  extensionValue: 5,
  extensionQuoted: 6,
  extensionQuotedPair: 7,
  extensionQuotedEnd: 8,
  extensionNameStart: 9,
  sizeLf: 10,
  data: 11,
  dataCr: 12,
  dataLf: 13,
  trailer: 14,
  failed: 15,
} as const

export class BodyFollower {
  framing: Framing = 'none'
  isDone = true
  /** The body broke its rules; where it stands is unknown. Its bytes up to `runEnd` may have been passed on. */
  isFailed = false
  /** Which rule that was. */
  cause: Cause | undefined = undefined
  /** After `follow`: bytes `start` to `runEnd` of the buffer go on, after `before`. */
  runEnd = 0
  /** Trailer text that was held back from earlier reads and goes on ahead of the run. Nearly always empty. */
  before = ''
  /** After `follow`: how much of the run is content, without chunk framing and trailers. */
  content = 0

  /** Octets still to come of the length, or of the chunk. */
  #left = 0
  #state: number = STATE.size
  #digits = 0
  #lineBytes = 0
  #extensionBytes = 0
  #trailerBytes = 0
  /** Start of a trailer line that began in an earlier read. */
  #heldLine = ''

  start(framing: Framing, contentLength: number): void {
    this.framing = framing
    this.isDone = framing === 'none'
    this.isFailed = false
    this.cause = undefined
    this.before = ''
    this.#left = framing === 'length' ? contentLength : 0
    this.#state = STATE.size
    this.#digits = 0
    this.#lineBytes = 0
    this.#extensionBytes = 0
    this.#trailerBytes = 0
    this.#heldLine = ''
  }

  /** Starts, and takes the part of the body that has come with its head, which may be nothing. Returns where it ends. */
  begin(framing: Framing, contentLength: number, buffer: Uint8Array, start: number, end: number): number {
    this.start(framing, contentLength)
    this.content = 0
    this.runEnd = start
    return this.isDone || start === end ? start : this.follow(buffer, start, end)
  }

  /** Octets of a length body that are still to come; undefined where nobody knows. */
  get remaining(): number | undefined {
    return this.isDone ? 0 : this.framing === 'length' ? this.#left : undefined
  }

  /** The connection ended: that is the end of an until-close body, and a truncation of any other. */
  end(): boolean {
    if (this.framing === 'until-close') this.isDone = true
    return this.isDone
  }

  /** Takes the body's part of `buffer[start..end)`; returns where it ends. Call only while not done and not failed. */
  follow(buffer: Uint8Array, start: number, end: number): number {
    this.before = ''
    if (this.framing === 'chunked') return this.#followChunks(buffer, start, end)
    const taken = this.framing === 'length' ? Math.min(this.#left, end - start) : end - start
    if (this.framing === 'length') {
      this.#left -= taken
      if (this.#left === 0) this.isDone = true
    }
    this.content = taken
    this.runEnd = start + taken
    return this.runEnd
  }

  #followChunks(buffer: Uint8Array, start: number, end: number): number {
    let at = start
    // Where the next passed octet goes; behind `at` once something was taken out.
    let out = start
    this.content = 0
    while (at < end && !this.isDone && !this.isFailed) {
      if (this.#state === STATE.data) {
        const taken = Math.min(this.#left, end - at)
        if (out !== at) buffer.copyWithin(out, at, at + taken)
        at += taken
        out += taken
        this.content += taken
        this.#left -= taken
        if (this.#left === 0) this.#state = STATE.dataCr
      } else if (this.#state === STATE.trailer) {
        const lineEnd = buffer.indexOf(LF, at)
        const stop = lineEnd === -1 || lineEnd >= end ? end : lineEnd + 1
        out = this.#followTrailerLine(buffer, at, stop, out)
        at = stop
      } else {
        const octet = buffer[at++]!
        if (this.#step(octet)) buffer[out++] = octet
      }
    }
    this.runEnd = out
    return at
  }

  /** One octet of framing; true if it is passed on. */
  #step(octet: number): boolean {
    const state = this.#state
    if (state === STATE.dataCr) return this.#expect(octet, CR, STATE.dataLf)
    if (state === STATE.dataLf) {
      this.#digits = 0
      this.#lineBytes = 0
      this.#left = 0
      return this.#expect(octet, LF, STATE.size)
    }
    if (++this.#lineBytes > MAX_CHUNK_LINE_BYTES) return this.#fail()
    if (state === STATE.size) return this.#stepSize(octet)
    if (state === STATE.sizeLf) return this.#expect(octet, LF, this.#left === 0 ? STATE.trailer : STATE.data)
    if (++this.#extensionBytes > MAX_CHUNK_EXTENSION_BYTES) return this.#fail('chunk_extension')
    this.#state = nextExtensionState(state, octet)
    if (this.#state === STATE.failed) return this.#fail('chunk_extension')
    // The CR that ends the line is the first octet after the size that goes on.
    return this.#state === STATE.sizeLf
  }

  #stepSize(octet: number): boolean {
    const digit = HEX_VALUE[octet]!
    if (digit >= 0) {
      this.#digits++
      this.#left = this.#left * 16 + digit
      return this.#left <= Number.MAX_SAFE_INTEGER || this.#fail()
    }
    if (this.#digits === 0) return this.#fail()
    if (octet === CR) {
      this.#state = STATE.sizeLf
      return true
    }
    this.#extensionBytes++
    if (octet === SEMICOLON) this.#state = STATE.extensionNameStart
    else if (octet === SP || octet === TAB) this.#state = STATE.extensionBlank
    else return this.#fail()
    return false
  }

  #expect(octet: number, wanted: number, next: number): boolean {
    if (octet !== wanted) return this.#fail()
    this.#state = next
    return true
  }

  #fail(cause: Cause = 'chunk'): false {
    this.isFailed = true
    this.cause = cause
    this.#state = STATE.failed
    return false
  }

  /** `buffer[at..stop)` is a part of a trailer line, its end if it ends with LF. Returns where the next passed octet goes. */
  #followTrailerLine(buffer: Uint8Array, at: number, stop: number, out: number): number {
    this.#trailerBytes += stop - at
    if (this.#trailerBytes > MAX_TRAILER_BYTES) {
      this.#fail('trailer')
      return out
    }
    const part = latin1(buffer, at, stop)
    const line = this.#heldLine + part
    if (buffer[stop - 1] !== LF) {
      this.#heldLine = line
      return out
    }
    const wasHeld = this.#heldLine !== ''
    this.#heldLine = ''
    const verdict = judgeTrailerLine(line)
    if (verdict === 'malformed') {
      this.#fail('trailer')
      return out
    }
    if (verdict === 'end') this.isDone = true
    if (verdict === 'dropped') return out
    if (wasHeld) {
      // Only the first line of a read can have begun before it, so nothing of this read is ahead of it.
      this.before += line
      return out
    }
    if (out !== at) buffer.copyWithin(out, at, stop)
    return out + (stop - at)
  }
}

function latin1(buffer: Uint8Array, start: number, end: number): string {
  return Buffer.from(buffer.buffer, buffer.byteOffset + start, end - start).toString('latin1')
}

type TrailerVerdict = 'end' | 'passed' | 'dropped' | 'malformed'

function judgeTrailerLine(line: string): TrailerVerdict {
  const last = line.length - 2
  if (line.charCodeAt(last) !== CR) return 'malformed'
  if (last === 0) return 'end'
  let colon = 0
  while (IS_TOKEN[line.charCodeAt(colon)] === 1) colon++
  if (colon === 0 || line.charCodeAt(colon) !== COLON) return 'malformed'
  for (let i = colon + 1; i < last; i++) if (!isFieldValueOctet(line.charCodeAt(i))) return 'malformed'
  return isForbiddenInTrailers(line.slice(0, colon).toLowerCase()) ? 'dropped' : 'passed'
}

/** chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ), one octet at a time. */
function nextExtensionState(state: number, octet: number): number {
  const isBlank = octet === SP || octet === TAB
  const isToken = IS_TOKEN[octet] === 1
  switch (state) {
    case STATE.extensionBlank:
      return octet === SEMICOLON ? STATE.extensionNameStart : isBlank ? state : STATE.failed
    case STATE.extensionNameStart:
      return isToken ? STATE.extensionName : isBlank ? state : STATE.failed
    case STATE.extensionName:
      return isToken ? state : afterName(octet, isBlank)
    case STATE.extensionNameBlank:
      return octet === CR ? STATE.failed : afterName(octet, isBlank)
    case STATE.extensionValueStart:
      return isToken ? STATE.extensionValue : octet === DQUOTE ? STATE.extensionQuoted : isBlank ? state : STATE.failed
    case STATE.extensionValue:
      return isToken ? state : afterValue(octet, isBlank)
    case STATE.extensionQuoted:
      if (octet === DQUOTE) return STATE.extensionQuotedEnd
      if (octet === BACKSLASH) return STATE.extensionQuotedPair
      return isFieldValueOctet(octet) ? state : STATE.failed
    case STATE.extensionQuotedPair:
      return isFieldValueOctet(octet) ? STATE.extensionQuoted : STATE.failed
    default:
      return afterValue(octet, isBlank)
  }
}

function afterName(octet: number, isBlank: boolean): number {
  return octet === EQUALS ? STATE.extensionValueStart : isBlank ? STATE.extensionNameBlank : afterValue(octet, false)
}

function afterValue(octet: number, isBlank: boolean): number {
  if (octet === CR) return STATE.sizeLf
  if (octet === SEMICOLON) return STATE.extensionNameStart
  return isBlank ? STATE.extensionBlank : STATE.failed
}
