/** A connection in a queue; the links are its own, so that going in and out costs a few stores. */
export class Queued {
  idlePrevious: Queued | undefined = undefined
  idleNext: Queued | undefined = undefined
  isQueuedIdle = false
}
