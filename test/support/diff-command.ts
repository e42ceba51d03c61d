import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { within } from './deadline.ts'
import { CLIENT_KEY, COMMAND } from './gateway.ts'

export interface Run {
  readonly code: number | null
  readonly out: string
  readonly error: string
}

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv
  readonly input?: string
}

/** `fluxgate diff …` as a process of its own, with the client's key in its environment. */
export async function diff(args: readonly string[], { env, input = '' }: RunOptions = {}): Promise<Run> {
  const child = spawn(COMMAND, ['diff', ...args], {
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, FLUXGATE_DIFF_KEY: CLIENT_KEY, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve))
  child.stdin.on('error', () => {}) // it has ended without reading
  child.stdin.end(input)
  try {
    const all = Promise.all([exited, text(child.stdout), text(child.stderr)])
    const [code, out, error] = await within(all, `fluxgate diff ${args.join(' ')}`, 60_000)
    return { code, out, error }
  } finally {
    child.kill('SIGKILL')
  }
}
