import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, test } from 'node:test'

// bin/fluxgate in checkouts of every kind, with a stand-in for src/main.ts that says how it was started.

const scratch = mkdtempSync(join(tmpdir(), 'launcher-'))
after(() => rmSync(scratch, { recursive: true }))

const SYSTEM_PATH = '/usr/bin:/bin'
const REPORT = 'console.log(JSON.stringify([process.pid, process.execArgv, process.argv.slice(2), process.cwd()]))'

const skipBroken = existsSync(process.arch === 'x64' ? '/lib64/ld-linux-x86-64.so.2' : '/lib/ld-linux-aarch64.so.1')
  ? false
  : 'the Node that npm brings is for glibc'

/** The few programs that the script may need, without any Node beside them. */
function withoutNode(): string {
  const folder = mkdtempSync(join(scratch, 'programs-'))
  for (const name of ['sh', 'head', 'readlink']) symlinkSync(`/usr/bin/${name}`, join(folder, name))
  return folder
}

interface Run {
  readonly pid: number | undefined
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function checkout({ node = true, modules = true, main = 'src/main.ts' } = {}): string {
  const root = mkdtempSync(join(scratch, 'checkout-'))
  for (const folder of ['bin', 'src', 'dist']) mkdirSync(join(root, folder))
  copyFileSync('bin/fluxgate', join(root, 'bin/fluxgate'))
  writeFileSync(join(root, 'package.json'), '{"type":"module"}')
  writeFileSync(join(root, main), REPORT)
  if (modules) mkdirSync(join(root, 'node_modules'))
  if (node) {
    const bin = join(root, `node_modules/node-linux-${process.arch}/bin`)
    mkdirSync(bin, { recursive: true })
    symlinkSync(process.execPath, join(bin, 'node'))
  }
  return root
}

/** A `node` for PATH that claims a version, and says so when it is started with anything else. */
function fakeNode(version: string): string {
  const folder = mkdtempSync(join(scratch, 'host-'))
  writeFileSync(join(folder, 'node'), `#!/bin/sh\n[ "$1" = --version ] && echo ${version} || echo started ${version}\n`)
  chmodSync(join(folder, 'node'), 0o755)
  return folder
}

async function run(file: string, args: string[] = [], options: { cwd?: string; path?: string } = {}): Promise<Run> {
  const env = { PATH: options.path ?? SYSTEM_PATH }
  const child = spawn(file, args, { cwd: options.cwd ?? scratch, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = new Promise<number | null>((settle) => child.once('close', settle))
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), exited])
  return { pid: child.pid, code, out, err }
}

test('the process that was started becomes Node, with its arguments and its working directory', async () => {
  const root = checkout()
  const { pid, code, out } = await run(join(root, 'bin/fluxgate'), ['--config', 'a file.yaml', ''])
  const [seenPid, flags, args, folder] = JSON.parse(out)
  assert.deepEqual([seenPid, args, folder], [pid, ['--config', 'a file.yaml', ''], scratch])
  assert.ok(flags.includes('--disable-sigusr1') && flags.includes('--use-system-ca'), flags)
  assert.equal(code, 0)
})

test('it finds its root through links, from PATH and from its own folder', async () => {
  const root = checkout()
  const bin = join(root, 'bin')
  symlinkSync('bin/fluxgate', join(root, 'relative'))
  symlinkSync(join(root, 'relative'), join(scratch, 'absolute'))
  const runs = await Promise.all([
    run('./absolute', []),
    run('fluxgate', [], { path: `${bin}:${SYSTEM_PATH}` }),
    run('sh', ['fluxgate'], { cwd: bin }),
    run('bin/fluxgate', [], { cwd: root }),
  ])
  assert.deepEqual(
    runs.map(({ code, err }) => [code, err]),
    runs.map(() => [0, '']),
  )
})

test('compiled code runs where there is no source', async () => {
  const root = checkout({ main: 'dist/main.js' })
  assert.equal((await run(join(root, 'bin/fluxgate'))).code, 0)
})

test('a compile cache that cannot be written does not matter', async () => {
  const root = checkout()
  writeFileSync(join(root, 'node_modules/.cache'), 'in the way')
  const { code, err } = await run(join(root, 'bin/fluxgate'))
  assert.deepEqual([code, err], [0, ''])
})

test('without node_modules it says what to do', async () => {
  const root = checkout({ node: false, modules: false })
  const { code, out, err } = await run(join(root, 'bin/fluxgate'))
  assert.deepEqual([code, out, err], [1, '', 'fluxgate: node_modules is missing: run npm ci first\n'])
})

test("without a Node of its own it takes the host's first one that is new enough", async () => {
  const root = checkout({ node: false })
  const path = [fakeNode('v20.20.2'), fakeNode('v24.0.0'), fakeNode('v26.1.0'), SYSTEM_PATH].join(':')
  const { code, out } = await run(join(root, 'bin/fluxgate'), [], { path })
  assert.deepEqual([code, out], [0, 'started v24.0.0\n'])
})

/** A checkout whose own Node says this and fails, as the loader does for libraries that are too old. */
function brokenCheckout(said: string): string {
  const root = checkout({ node: false })
  const bin = join(root, `node_modules/node-linux-${process.arch}/bin`)
  mkdirSync(bin, { recursive: true })
  writeFileSync(join(bin, 'node'), `#!/bin/sh\necho '${said}' >&2\nexit 127\n`)
  chmodSync(join(bin, 'node'), 0o755)
  return root
}

const GLIBC = '/x/node: /lib/libc.so.6: version `GLIBC_2.28 not found (required by /x/node)'
const LIBATOMIC = 'node: error while loading shared libraries: libatomic.so.1: cannot open shared object file'

test("with one of its own that does not run here it takes the host's", { skip: skipBroken }, async () => {
  const path = `${fakeNode('v26.1.0')}:${SYSTEM_PATH}`
  const { code, out, err } = await run(join(brokenCheckout(GLIBC), 'bin/fluxgate'), [], { path })
  assert.deepEqual([code, out, err], [0, 'started v26.1.0\n', ''])
})

test('with none that runs it says why in one line', { skip: skipBroken }, async () => {
  const path = `${fakeNode('v20.20.2')}:/nowhere:/usr/bin/nowhere`
  const old = await run(join(brokenCheckout(GLIBC), 'bin/fluxgate'), [], { path: `${path}:${withoutNode()}` })
  assert.equal(old.code, 1)
  assert.match(old.err, /^fluxgate: the Node that npm installed cannot run here, .* v20\.20\.2: .*GLIBC_2\.28.*\n$/)
  const without = await run(join(brokenCheckout(LIBATOMIC), 'bin/fluxgate'), [], { path: `${path}:${withoutNode()}` })
  assert.equal(without.code, 1)
  assert.match(without.err, /^fluxgate: .* libatomic\.so\.1, on Debian: apt-get install libatomic1 .*\n$/)
})

test('where Node has run once, nothing else is started before it', { skip: skipBroken }, async () => {
  const root = brokenCheckout('started at once')
  mkdirSync(join(root, 'node_modules/.cache/compile'), { recursive: true })
  const { code, err } = await run(join(root, 'bin/fluxgate'))
  assert.deepEqual([code, err], [127, 'started at once\n'])
})

test('with none that is new enough it says which one it found', async () => {
  const root = checkout({ node: false })
  const { code, out, err } = await run(join(root, 'bin/fluxgate'), [], { path: fakeNode('v20.20.2') })
  assert.deepEqual([code, out], [1, ''])
  assert.match(err, /^fluxgate: Node 24 or later is missing: .* PATH has v20\.20\.2\n$/)
})
