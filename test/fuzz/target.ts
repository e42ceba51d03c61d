import type fc from 'fast-check'

interface Named {
  readonly name: string
  /** One line for the list of targets. */
  readonly about: string
  /** Ends what the first check has started. */
  close?(): Promise<void> | void
}

/** A promise about values that only a generator can make: one that knows, for example, what is to come out. */
export interface ValueTarget<T = unknown> extends Named {
  /** Values that JSON can write; `scale`, from 1 on, says how large they may get. */
  values(scale: number): fc.Arbitrary<T>
  /** Throws where the promise is broken. Else it says what became of the value: the class of its outcome. */
  check(value: T): string | Promise<string>
}

/** A promise about any text: whatever it is, also what nobody would ever write. */
export interface TextTarget extends Named {
  /** Texts that are worth changing. */
  corpus(): readonly string[]
  /** What is worth putting in between. */
  readonly spice: readonly string[]
  /** Text is any UTF-16, not latin-1. */
  readonly isUnicode?: true
  values?(scale: number): fc.Arbitrary<string>
  check(text: string): string | Promise<string>
}

export type Target = ValueTarget | TextTarget

export function isTextTarget(target: Target): target is TextTarget {
  return 'corpus' in target
}
