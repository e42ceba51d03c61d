import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Watch } from '../support/deadline.ts'

// What a start needs of its environment (docs/decisions/0031), seen from outside: the command line and the environment of the
// process that listens, and its pid.

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const NODE = process.execPath
const BARE = { PATH: '/usr/bin:/bin' }
const FLAGS = ['--disable-sigusr1', '--use-system-ca', '--max-semi-space-size=2', '--v8-pool-size=1']

const scratch = mkdtempSync(path.join(tmpdir(), 'fluxgate-starts-'))
const config = path.join(scratch, 'fluxgate.yaml')
const build = path.join(ROOT, 'node_modules/.cache/starts')
after(() => {
  rmSync(scratch, { recursive: true })
  rmSync(build, { recursive: true, force: true })
})

before(() => {
  writeFileSync(config, 'version: 1\nserver: { bind_address: "127.0.0.1:0", allow_anonymous: true }\n')
  symlinkSync(path.join(ROOT, 'bin/fluxgate'), path.join(scratch, 'link'))
  // As `npm run build` makes it, beside the dependencies.
  const { status, stderr } = spawnSync(NODE, ['scripts/build.ts', `${build}/dist`], { cwd: ROOT, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
})

interface Start {
  readonly command: readonly string[]
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** There is a process before the gateway's. */
  readonly hasParent?: true
}

const starts: Readonly<Record<string, Start>> = {
  'bin/fluxgate': { command: [path.join(ROOT, 'bin/fluxgate')] },
  'bin/fluxgate from its own folder': { command: ['./fluxgate'], cwd: path.join(ROOT, 'bin') },
  'a link to it': { command: [path.join(scratch, 'link')], cwd: scratch },
  'an empty environment': { command: ['env', '-i', path.join(ROOT, 'bin/fluxgate')] },
  'node src/main.ts': { command: [NODE, path.join(ROOT, 'src/main.ts')], cwd: scratch },
  'node dist/main.js': { command: [NODE, path.join(build, 'dist/main.js')], cwd: scratch },
  'node with some of the flags, as a unit file may have it': {
    command: [NODE, '--use-system-ca', path.join(ROOT, 'src/main.ts')],
    env: { UV_THREADPOOL_SIZE: '32' },
  },
  'the image': {
    command: imageCommand(path.join(build, 'dist/main.js')),
    env: imageEnvironment(),
  },
  npx: { command: ['npm', 'exec', '--offline', '--', 'fluxgate'], cwd: ROOT, hasParent: true },
}

function imageCommand(main: string): string[] {
  const [node, ...args] = JSON.parse(
    /^ENTRYPOINT (\[.*\])$/m.exec(readFileSync(path.join(ROOT, 'Dockerfile'), 'utf8'))![1]!,
  ) as string[]
  assert.equal(node, '/usr/local/bin/node')
  return [NODE, ...args.map((argument) => (argument === '/app/dist/main.js' ? main : argument))]
}

function imageEnvironment(): NodeJS.ProcessEnv {
  const line = /^ENV (.*)$/m.exec(readFileSync(path.join(ROOT, 'Dockerfile'), 'utf8'))![1]!
  return Object.fromEntries(line.split(' ').map((pair) => pair.split('=') as [string, string]))
}

interface Seen {
  readonly flags: readonly string[]
  readonly variables: Readonly<Record<string, string | undefined>>
  readonly isSameProcess: boolean
}

/** Whose socket it is: the process that listens, among the one that was started and its children. */
function descendants(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number)
  return [pid, ...children.flatMap(descendants)]
}

async function look({ command, cwd = ROOT, env = {} }: Start): Promise<Seen> {
  const [file, ...args] = [...command, '--config', config]
  const child = spawn(file!, args, { cwd, env: { ...BARE, ...env }, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  try {
    const watch = new Watch()
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
        watch.notice()
      })
    }
    await watch.until(
      () => output.includes('listening on'),
      () => `listening: ${output}`,
    )
    const pid = descendants(child.pid!).at(-1)!
    const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    const variables = Object.fromEntries(
      readFileSync(`/proc/${pid}/environ`, 'utf8')
        .split('\0')
        .map((pair) => pair.split('=', 2) as [string, string]),
    )
    const { UV_THREADPOOL_SIZE, MALLOC_ARENA_MAX } = variables
    return {
      flags: line.filter((argument) => FLAGS.includes(argument)).sort(),
      variables: { UV_THREADPOOL_SIZE, MALLOC_ARENA_MAX },
      isSameProcess: pid === child.pid,
    }
  } finally {
    process.kill(-child.pid!, 'SIGKILL')
  }
}

describe('started by', { skip: existsSync('/proc/self/environ') ? false : 'there is no /proc', concurrency: 2 }, () => {
  for (const [how, start] of Object.entries(starts)) {
    test(how, async () => {
      assert.deepEqual(await look(start), {
        flags: [...FLAGS].sort(),
        variables: { UV_THREADPOOL_SIZE: '32', MALLOC_ARENA_MAX: '1' },
        isSameProcess: start.hasParent === undefined,
      })
    })
  }

  test('a program that has it in its own process: as many threads for name look-ups', async () => {
    const program = `
      import { readdirSync } from 'node:fs'
      import { lookup } from 'node:dns'
      const { createGateway } = await import('${ROOT}/src/gateway.ts')
      const { defaultConfiguration } = await import('${ROOT}/src/config/load.ts')
      createGateway({ ...defaultConfiguration(), generation: 1 }, { log: {}, writeRecord() {} })
      for (let n = 0; n < 40; n++) lookup(n + '.invalid', () => {})
      console.log(readdirSync('/proc/self/task').length > 32 ? 'many' : 'few')
    `
    const { stdout, stderr } = spawnSync(NODE, ['--input-type=module', '--eval', program], {
      env: BARE,
      encoding: 'utf8',
    })
    assert.deepEqual([stdout, stderr], ['many\n', ''])
  })
})

test('npm start is bin/fluxgate', () => {
  const { scripts, bin } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'))
  assert.equal(scripts.start, 'bin/fluxgate demo')
  assert.deepEqual(bin, { fluxgate: 'bin/fluxgate' })
})

test('what somebody has set is left as it is', async () => {
  const { variables } = await look({
    command: [NODE, path.join(ROOT, 'src/main.ts')],
    env: { UV_THREADPOOL_SIZE: '7', MALLOC_ARENA_MAX: '3' },
  })
  assert.deepEqual(variables, { UV_THREADPOOL_SIZE: '7', MALLOC_ARENA_MAX: '3' })
})

test("where Node's permissions forbid to start anything, it runs as it is", async () => {
  const permissions = ['--permission', '--allow-fs-read=*', '--allow-worker', '--allow-net']
  const seen = await look({ command: [NODE, ...permissions, path.join(ROOT, 'src/main.ts')] })
  assert.deepEqual([seen.flags, seen.isSameProcess], [[], true])
})

/** A Node of this machine that is too old; npm may have come with one. */
function oldNode(): string | undefined {
  return (process.env.PATH ?? '')
    .split(':')
    .map((folder) => path.join(folder, 'node'))
    .find((node) => {
      const version = /^v(\d+)/.exec(spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1]
      return version !== undefined && Number(version) >= 20 && Number(version) < 24
    })
}

const old = oldNode()

test('a Node that is too old says so in one line', { skip: old === undefined && 'there is no old Node here' }, () => {
  const { status, stdout, stderr } = spawnSync(old!, [path.join(build, 'dist/main.js')], { encoding: 'utf8' })
  assert.deepEqual([status, stdout], [1, ''])
  assert.match(stderr, /^fluxgate: this is Node \d+\.\d+\.\d+, and it needs 24 or later; .*\n$/)
})
