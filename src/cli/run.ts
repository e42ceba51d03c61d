import { parseBindAddress } from '../config/compile/bind-address.ts'
import type { BindAddress } from '../config/snapshot.ts'
import { REAL_CLOCK } from '../config/watch/clock.ts'
import { startWatchThread } from '../config/watch/thread.ts'
import type { Command } from './arguments.ts'
import { readGivenPipe } from './given-configuration.ts'
import { shownOption, usageError } from './usage.ts'

type Run = Extract<Command, { name: 'run' }>

/** Runs the gateway until it is told to stop; the exit code of the process. */
export async function run({
  configPath: path,
  requiresConfiguration,
  bindAddress: text,
  pidFile,
}: Run): Promise<number> {
  let bindAddress: BindAddress | undefined
  if (text !== undefined) {
    const parsed = parseBindAddress(text, process.cwd())
    if ('wrong' in parsed) {
      process.stderr.write(
        usageError('run', `invalid value '${text}' for '${shownOption('--bind-address')}': ${parsed.wrong}`),
      )
      return 2
    }
    bindAddress = parsed
  }
  // Signals still end the process while it waits for the other end of a pipe.
  const piped = readGivenPipe(path)
  // First of all: it comes up on another core while the rest is loaded here. What was read once is not watched.
  const origin =
    piped === undefined
      ? { watching: startWatchThread({ path, clock: REAL_CLOCK }), piped }
      : { watching: undefined, piped }
  const { serveConfiguration } = await import('./serve-configuration.ts')
  return serveConfiguration(path, { isRequired: requiresConfiguration, bindAddress, pidFile }, origin)
}
