import { formatPath, type Path } from '../text/problem.ts'
import type { Scope } from './scope.ts'

/** Values that may stand in one place only. Of a repeated one, the places are told and never the value. */
export class UniquePlaces {
  readonly #places = new Map<string, Path>()
  readonly #scope: Scope

  constructor(scope: Scope) {
    this.#scope = scope
  }

  /** Whether this is its first place. */
  claim(value: string, path: Path): boolean {
    const first = this.#places.get(value)
    if (first === undefined) {
      this.#places.set(value, path)
      return true
    }
    this.#scope.problem(path, `repeats ${formatPath(first)}`)
    return false
  }
}
