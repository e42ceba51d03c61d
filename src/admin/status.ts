/** What `/status` says, as JSON: times in seconds, counts of the last minute unless it is said otherwise. No secret, and no value of the file. */
export interface Status {
  readonly version: string
  readonly node: string
  readonly pid: number
  readonly uptime_seconds: number
  /** Threads that serve now. */
  readonly workers: number
  readonly worker_restarts: number
  readonly ready: boolean
  readonly not_ready: readonly string[]
  readonly configuration: {
    readonly path: string
    readonly generation: number
    /** RFC 3339. */
    readonly loaded_at: string
    /** False while the file holds something else than what is in force. */
    readonly valid: boolean
    readonly last_result: 'applied' | 'invalid' | 'unreadable'
    readonly error: string | null
  }
  readonly listeners: { readonly server: string; readonly admin: string }
  readonly clients: { readonly idle: number; readonly busy: number; readonly limit: number }
  /** How many seconds the figures of "the last minute" are about: fewer at the start. */
  readonly window_seconds: number
  readonly overhead: Readonly<Record<'request' | 'response', Percentiles>>
  readonly upstreams: Readonly<Record<string, UpstreamStatus>>
  readonly api_keys: Readonly<Record<string, { readonly requests: number; readonly errors: number }>>
}

/** Seconds; null where there was nothing. They are as exact as the buckets of the histogram. */
export interface Percentiles {
  readonly p50: number | null
  readonly p95: number | null
}

export interface UpstreamStatus {
  readonly in_flight: number
  readonly streams: number
  readonly requests: number
  readonly outcomes: Readonly<Record<string, number>>
  /** By code of the failure, or `status NNN` of the upstream. */
  readonly errors: Readonly<Record<string, number>>
  readonly connections: Readonly<Record<'idle' | 'busy' | 'connecting', number>>
  readonly connects: Readonly<Record<string, number>>
  readonly time_to_first_byte: Percentiles
}
