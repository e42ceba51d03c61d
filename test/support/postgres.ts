/** A PostgreSQL of Debian's package, for one test: its own folder, its own port, as a user that may run it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { closedPort } from './closed-port.ts'
import { DEADLINE_MS, within } from './deadline.ts'

const ROOT = '/usr/lib/postgresql'
const versions = existsSync(ROOT) ? readdirSync(ROOT).sort() : []
const BIN = join(ROOT, versions.at(-1) ?? '', 'bin')

/** Why there is none; false: there is one. */
export const noPostgres: string | false = existsSync(join(BIN, 'initdb')) ? false : 'PostgreSQL is not installed'

export interface PostgresServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  stop(): Promise<void>
  start(): Promise<void>
  /** Answers nobody, as a machine that has gone does. */
  freeze(): void
  thaw(): void
}

const PASSWORD = 'p4ss/word-of@postgres'

/** It refuses to run as root. */
function itsUser(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const id = (option: string): number => Number(execFileSync('id', [option, 'postgres'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

export async function startPostgres(): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), 'fluxgate-pg-'))
  const data = join(folder, 'data')
  const passwordFile = join(folder, 'password')
  const user = itsUser()
  const run = (command: string, args: readonly string[]): void => {
    execFileSync(command, args, { ...user, cwd: folder, stdio: 'ignore', timeout: DEADLINE_MS * 3 })
  }
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid!)
  run('sh', ['-c', `umask 077; printf %s '${PASSWORD}' >${passwordFile}`])
  run(join(BIN, 'initdb'), ['-D', data, '-U', 'fluxgate', '-A', 'scram-sha-256', '--pwfile', passwordFile, '-N'])
  const port = await closedPort()
  let child: ChildProcess | undefined

  async function start(): Promise<void> {
    const args = ['-D', data, '-p', String(port), '-k', folder, '-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off']
    child = spawn(join(BIN, 'postgres'), args, { ...user, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
    const ready = Promise.withResolvers<void>()
    let text = ''
    child.stderr!.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (text.includes('ready to accept connections')) ready.resolve()
    })
    child.once('exit', () => ready.reject(new Error(text)))
    await within(ready.promise, () => `PostgreSQL: ${text}`, 30_000)
  }

  /** The one that accepts, and those that serve. */
  const signal = (name: NodeJS.Signals): void => {
    const pid = child!.pid!
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
    for (const each of [pid, ...children.map(Number)]) process.kill(each, name)
  }

  async function stop(): Promise<void> {
    if (child === undefined) return
    const exited = new Promise((resolve) => child!.once('exit', resolve))
    // At once, and its children with it.
    child.kill('SIGQUIT')
    await within(exited, 'the end of PostgreSQL')
    child = undefined
  }

  await start()
  return {
    url: `postgres://fluxgate:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/postgres`,
    port,
    start,
    stop,
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
    async [Symbol.asyncDispose]() {
      if (child !== undefined) signal('SIGCONT')
      await stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
