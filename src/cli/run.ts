import { REAL_CLOCK } from '../config/watch/clock.ts'
import { startWatchThread } from '../config/watch/thread.ts'
import { readGivenPipe } from './given-configuration.ts'

/** Runs the gateway until it is told to stop; the exit code of the process. */
export async function run(path: string, isRequired: boolean): Promise<number> {
  // Signals still end the process while it waits for the other end of a pipe.
  const piped = readGivenPipe(path)
  // First of all: it comes up on another core while the rest is loaded here. What was read once is not watched.
  const origin =
    piped === undefined
      ? { watching: startWatchThread({ path, clock: REAL_CLOCK }), piped }
      : { watching: undefined, piped }
  const { serveConfiguration } = await import('./serve-configuration.ts')
  return serveConfiguration(path, isRequired, origin)
}
