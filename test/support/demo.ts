import { spawn } from 'node:child_process'
import { Watch, within } from './deadline.ts'

export interface RunningDemo extends AsyncDisposable {
  readonly address: string
  /** The gateway key that it tells. */
  readonly key: string
  /** Asks it to stop; its exit code. */
  stop(): Promise<number | null>
}

/** Starts `fluxgate demo` of a command, on a free port. */
export async function startDemo(command: string, cwd: string, env: NodeJS.ProcessEnv): Promise<RunningDemo> {
  const child = spawn(command, ['demo', '--bind-address', '127.0.0.1:0'], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', resolve)
    child.once('error', () => resolve(null))
  })
  const watch = new Watch()
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      watch.notice()
    })
  }
  const find = (pattern: RegExp, what: string): Promise<string> =>
    watch.until(
      () => pattern.exec(output)?.[1],
      () => `${what}: ${output}`,
    )
  try {
    const address = await find(/listening on (\S+)/, 'listening')
    const key = await find(/Bearer (\S+?)["'\s]/, 'a key')
    return {
      address,
      key,
      stop() {
        child.kill('SIGTERM')
        return within(exited, () => `its end: ${output}`)
      },
      async [Symbol.asyncDispose]() {
        child.kill('SIGKILL')
        await exited
      },
    }
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
}
