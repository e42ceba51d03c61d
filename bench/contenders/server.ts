import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SERVER_CERTIFICATE, SERVER_KEY } from '../../test/support/certificates.ts'
import { freePort, isListening } from '../machine/ports.ts'
import { pinned, removeFolder, stop, temporaryFolder } from '../machine/processes.ts'

/** A process that listens. */
export interface Server extends AsyncDisposable {
  readonly port: number
  readonly pid: number
}

/** A server with a folder of its own, where its configuration and its log are. */
export interface FolderServer extends Server {
  readonly folder: string
  /** From its being started until it let somebody in. */
  readonly startMs: number
}

export interface Preparation {
  readonly command: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

/** What a server prints goes to this file of its folder. */
export const OUTPUT = 'output.log'

/** Its path. */
export function writeTo(folder: string, name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

/** The paths of a certificate for 127.0.0.1 and of its key. */
export function certificateIn(folder: string): readonly [cert: string, key: string] {
  return [writeTo(folder, 'server.pem', SERVER_CERTIFICATE), writeTo(folder, 'server.key', SERVER_KEY)]
}

export async function serve(
  cores: string,
  prepare: (port: number, folder: string) => Preparation,
): Promise<FolderServer> {
  const folder = temporaryFolder()
  const port = await freePort()
  const { command, env = process.env } = prepare(port, folder)
  const output = openSync(join(folder, OUTPUT), 'w')
  const startedAt = performance.now()
  const child = pinned(cores, command, { env, stdio: ['ignore', output, output] })
  closeSync(output)
  const close = async (): Promise<void> => {
    await stop(child)
    removeFolder(folder)
  }
  if (!(await isListening(port, child))) {
    const said = readFileSync(join(folder, OUTPUT), 'utf8').trim().split('\n').at(-1)
    await close()
    throw new Error(`it does not listen: ${said}`)
  }
  const startMs = performance.now() - startedAt
  return { port, pid: child.pid!, folder, startMs, [Symbol.asyncDispose]: close }
}
