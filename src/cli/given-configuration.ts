import { type LoadFailure, type LoadSuccess, loadConfiguration, MAX_CONFIGURATION_BYTES } from '../config/load.ts'
import { isPipe, readPipe } from '../config/pipe.ts'
import type { SourceContent } from '../config/source.ts'

/** The configuration that `--config` names: a file, or a pipe, which can be read once. */

/** What came through the pipe, to its end; undefined: it is none. */
export function readGivenPipe(path: string): SourceContent | undefined {
  return isPipe(path) ? readPipe(path, MAX_CONFIGURATION_BYTES) : undefined
}

export function loadGiven(path: string, env: NodeJS.ProcessEnv = process.env): LoadSuccess | LoadFailure {
  return loadConfiguration(path, env, readGivenPipe(path))
}
