import { readFileSync } from 'node:fs'

/**
 * How many files this process may have open; undefined: it cannot be told (no Linux), or there is no limit. Node has raised the
 * soft limit to the hard one by then.
 */
export function descriptorLimit(read = () => readFileSync('/proc/self/limits', 'latin1')): number | undefined {
  try {
    const limit = Number(/^Max open files +(\d+)/m.exec(read())?.[1])
    return Number.isNaN(limit) ? undefined : limit
  } catch {
    return undefined
  }
}
