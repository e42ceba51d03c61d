import type { WatchEvent } from '../config/watch/state.ts'

type Result = 'applied' | 'invalid' | 'unreadable'

/** What became of the configuration file, for those who ask the operations door. */
export class ConfigurationState {
  readonly path: string
  /** By what came of them; the load of the start is none. */
  readonly reloads: Record<Result, number> = { applied: 0, invalid: 0, unreadable: 0 }
  loadedAtMs: number = Date.now()
  lastResult: Result
  error: string | undefined

  /** `error`: why the start fell back to defaults. */
  constructor(path: string, error: string | undefined) {
    this.path = path
    this.error = error
    this.lastResult = error === undefined ? 'applied' : 'invalid'
  }

  get isValid(): boolean {
    return this.error === undefined
  }

  note(event: WatchEvent): void {
    switch (event.type) {
      case 'changed':
        this.applied()
        break
      case 'restored':
        this.error = undefined
        this.lastResult = 'applied'
        break
      case 'invalid':
        this.#end('invalid', event.error)
        break
      case 'missing':
        this.#end('unreadable', 'the file is not there')
        break
      case 'denied':
        this.#end('unreadable', 'the file may not be read')
    }
  }

  applied(): void {
    this.#end('applied', undefined)
    this.loadedAtMs = Date.now()
  }

  #end(result: Result, error: string | undefined): void {
    this.reloads[result]++
    this.lastResult = result
    this.error = error
  }
}
