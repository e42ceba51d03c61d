/**
 * When is a change complete? Editors and deployments write in steps: a truncated file, half of it, a moment without any.
 * A state machine without files and without a clock of its own.
 */

/** Content that has stood still for so long is what somebody meant. */
const SETTLED_MS = 150
/** A file that is replaced by deleting it is away for a moment; one that stays away is reported within 700 ms. */
const GONE_MS = 400
/** If somebody keeps writing, valid content is good enough from here on. */
const OVERDUE_MS = 600

export type Verdict =
  /** Nothing has changed. */
  | 'same'
  | 'unsettled'
  /** It keeps changing, and has done so for long. */
  | 'overdue'
  | 'settled'

export class Settling {
  #pending: { readonly identity: string; readonly since: number } | undefined
  #changingSince: number | undefined

  get isPending(): boolean {
    return this.#pending !== undefined
  }

  /** `identity`: of what is there now; `known`: of what was tried last. */
  judge(identity: string, known: string | undefined, isReadable: boolean, now: number): Verdict {
    if (identity === known) {
      this.reset()
      return 'same'
    }
    if (this.#pending?.identity !== identity) this.#pending = { identity, since: now }
    this.#changingSince = isReadable ? (this.#changingSince ?? now) : undefined
    if (now - this.#pending.since >= (isReadable ? SETTLED_MS : GONE_MS)) return 'settled'
    return this.#changingSince !== undefined && now - this.#changingSince >= OVERDUE_MS ? 'overdue' : 'unsettled'
  }

  reset(): void {
    this.#pending = undefined
    this.#changingSince = undefined
  }
}
