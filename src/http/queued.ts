/** A connection in a queue; the links are its own, so that going in and out costs a few stores. */
export interface Queued {
  idlePrevious: Queued | undefined
  idleNext: Queued | undefined
  isQueuedIdle: boolean
}
