import { COLON, CR, IS_TOKEN, isFieldValueOctet, LF } from '../http/octets.ts'

/**
 * Follows the octets of a head that comes in pieces: whether it can still become one. What cannot (another protocol, a CR
 * without LF, a control, a folded line) need not wait for an end that may never come. The finer rules are for the whole head.
 *
 *     start ▸ startLine ▸ startLf ▸ name… ▸ value ▸ valueLf ▸ name…         name… ▸ endLf at the empty line
 */
const STATE = {
  start: 0,
  startLine: 1,
  startLf: 2,
  nameStart: 3,
  name: 4,
  value: 5,
  valueLf: 6,
  endLf: 7,
  broken: 8,
} as const

export class HeadWatch {
  #state: number = STATE.start
  /** How many octets were followed. */
  #length = 0

  reset(): void {
    this.#state = STATE.start
    this.#length = 0
  }

  /** Offset of the octet that broke the head; -1: none has. */
  get brokenAt(): number {
    return this.#state === STATE.broken ? this.#length - 1 : -1
  }

  get hasStartLine(): boolean {
    return this.#state >= STATE.nameStart && this.#state !== STATE.broken
  }

  /** Takes `buffer[start..end)`, or its part up to the octet that breaks the head. */
  follow(buffer: Uint8Array, start: number, end: number): void {
    let state = this.#state
    let at = start
    while (at < end && state !== STATE.broken) state = next(state, buffer[at++]!)
    this.#length += at - start
    this.#state = state
  }
}

function next(state: number, octet: number): number {
  switch (state) {
    case STATE.start:
      return IS_TOKEN[octet] === 1 ? STATE.startLine : STATE.broken
    case STATE.startLine:
      return octet === CR ? STATE.startLf : isFieldValueOctet(octet) ? state : STATE.broken
    case STATE.nameStart:
      if (octet === CR) return STATE.endLf
      return IS_TOKEN[octet] === 1 ? STATE.name : STATE.broken
    case STATE.name:
      return IS_TOKEN[octet] === 1 ? state : octet === COLON ? STATE.value : STATE.broken
    case STATE.value:
      return octet === CR ? STATE.valueLf : isFieldValueOctet(octet) ? state : STATE.broken
    // After a CR.
    default:
      return octet === LF ? STATE.nameStart : STATE.broken
  }
}
