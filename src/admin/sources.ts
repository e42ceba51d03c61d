import type { Status } from './status.ts'

export type Exposition = 'prometheus' | 'openmetrics'

/** Where the operations door has its answers from. */
export interface AdminSources {
  /** Why the gateway should get no traffic now; none: it is ready. */
  notReady(): readonly string[]
  /** All metrics as they are now, in pieces of which each takes microseconds to make. */
  exposition(format: Exposition): Promise<Iterable<string>>
  status(): Promise<Status>
}
