/** So far a request is looked at for its model: clients put it before the messages or behind them. */
export const LOOK_BYTES = 65_536

/** Looks for the `model` of a request while its content passes. */
export interface ModelSeeker {
  /** Undefined as long as it may still come; null once it cannot any more. */
  readonly model: string | null | undefined
  add(bytes: Buffer): void
  /** Gives its memory back; what comes later is not looked at. */
  release(): void
}

/** Octets are kept as latin-1, since pieces may cut a character. */
export function fromLatin1(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8')
}
