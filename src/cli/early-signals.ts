/**
 * Signals that come while a service is still being loaded. Without a handler they would end the process, though all that they
 * ask for is what the start does anyway, or nothing.
 */

let wasHungUp = false

/** Before anything else is imported. */
export function outliveSignals(): void {
  process.on('SIGHUP', () => {
    wasHungUp = true
  })
  process.on('SIGUSR2', () => {})
}

export function wasHungUpEarly(): boolean {
  return wasHungUp
}
