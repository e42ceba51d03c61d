/** A client's connection, as far as the listener needs to know it. */
export interface HeldConnection {
  /** Taken in past the connection limit. */
  readonly isOverLimit: boolean
  /** Neighbours in the listener's queue of idle connections. */
  idlePrevious: HeldConnection | undefined
  idleNext: HeldConnection | undefined
  isQueuedIdle: boolean
  /** Closes at once. */
  close(): void
}
