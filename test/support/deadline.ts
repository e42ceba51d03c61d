/** Far beyond what anything here takes on a loaded machine: what runs into it is broken, not slow. */
export const DEADLINE_MS = 10_000

/**
 * What is promised within a second takes a third of one on a machine that has time for it. Where there is one try only, the
 * rest is for what else the machine does.
 */
export const WITHIN_A_SECOND_MS = 3_000

/** What is promised within milliseconds: one try in time proves it, as whatever else the machine does makes a try late, never early. */
export async function inTime(limitMs: number, attempt: () => Promise<number>): Promise<void> {
  const times: number[] = []
  for (let i = 0; i < 6; i++) {
    const ms = await attempt()
    if (ms < limitMs) return
    times.push(Math.round(ms))
  }
  throw new Error(`not once within ${limitMs} ms, but after ${times.join(', ')}`)
}

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
