import { parseBindAddress } from '../config/compile/bind-address.ts'
import type { BindAddress } from '../config/snapshot.ts'
import { REAL_CLOCK } from '../config/watch/clock.ts'
import { startWatchThread } from '../config/watch/thread.ts'
import type { Command } from './arguments.ts'
import { shownOption, usageError } from './usage.ts'

type Run = Extract<Command, { name: 'run' }>

/** Runs the gateway until it is told to stop; the exit code of the process. */
export async function run({ configPath: path, requiresConfiguration, bindAddress: text }: Run): Promise<number> {
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
  // First of all: it comes up on another core while the rest is loaded here.
  const watching = startWatchThread({ path, clock: REAL_CLOCK })
  const { serveConfiguration } = await import('./serve-configuration.ts')
  return serveConfiguration(path, { isRequired: requiresConfiguration, bindAddress }, watching)
}
