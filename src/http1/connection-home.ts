import type { UpstreamEvents } from '../http/upstream-connection.ts'

/** Where a connection goes when its exchange is over, and who hears that it has been closed. Each connection has its own. */
export interface ConnectionHome<E> {
  readonly events: UpstreamEvents<E>
  /** It is idle. `maxIdleSeconds`: what the upstream has announced. */
  keep(maxIdleSeconds: number | undefined): void
  /** It was taken and not needed: it has the time left that it had. */
  putBack(): void
  /** Whether it may wait for its owner; the home goes on watching it. */
  keepsForOwner(): boolean
  /** Told once, whatever it was doing. */
  closed(): void
}
