import { REAL_CLOCK } from '../config/watch/clock.ts'
import { startWatchThread } from '../config/watch/thread.ts'

/** Runs the gateway until it is told to stop; the exit code of the process. */
export async function run(path: string, isRequired: boolean): Promise<number> {
  // First of all: it comes up on another core while the rest is loaded here.
  const watching = startWatchThread({ path, clock: REAL_CLOCK })
  const { serveConfiguration } = await import('./serve-configuration.ts')
  return serveConfiguration(path, isRequired, watching)
}
