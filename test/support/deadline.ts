/** Far beyond what anything here takes on a loaded machine: what runs into it is broken, not slow. */
export const DEADLINE_MS = 10_000

type Description = string | (() => string)

const describe = (what: Description): string => (typeof what === 'string' ? what : what())

/** The promise's outcome, or a failure that names what was waited for. */
export async function within<T>(promise: Promise<T>, what: Description, ms: number = DEADLINE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${describe(what)}`)), ms)
  })
  try {
    return await Promise.race([promise, expired])
  } finally {
    clearTimeout(timer)
  }
}

/** A condition that is looked at again whenever something happened, instead of every so many milliseconds. */
export class Watch {
  readonly #looks = new Set<() => void>()

  /** Something happened. */
  notice(): void {
    for (const look of [...this.#looks]) look()
  }

  /** The first value of `look` that is neither undefined nor false. */
  async until<T>(look: () => T | undefined | false, what: Description, ms: number = DEADLINE_MS): Promise<T> {
    let again = (): void => {}
    const found = new Promise<T>((resolve, reject) => {
      again = () => {
        try {
          const value = look()
          if (value !== undefined && value !== false) resolve(value)
        } catch (error) {
          reject(error)
        }
      }
      this.#looks.add(again)
      again()
    })
    try {
      return await within(found, what, ms)
    } finally {
      this.#looks.delete(again)
    }
  }
}
