import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, type StdioOptions, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Order, Written } from './log-writer.ts'

/** Real descriptors and a real process: what a mock cannot show is whether a write waits. */

const WRITER = fileURLToPath(new URL('log-writer.ts', import.meta.url))
/** About 30 MB: more than the queue and any pipe hold. */
const FLOOD = 30_000
/** A turn writes a hundred records, which takes under a millisecond; blocked would be for ever. */
const STALLED_MS = 1000

let folder: string
let child: ChildProcess

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fluxgate-stdout-'))
})

afterEach(() => {
  child.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

async function start(stdout: 'pipe' | 'terminal' | number): Promise<void> {
  const inTerminal = `exec script -qfc "exec '${process.execPath}' '${WRITER}'" /dev/null`
  const [command, args] = stdout === 'terminal' ? ['sh', ['-c', inTerminal]] : [process.execPath, [WRITER]]
  const stdin = stdout === 'terminal' ? 'pipe' : 'ignore'
  const stdio: StdioOptions = [stdin, typeof stdout === 'number' ? stdout : 'pipe', 'inherit', 'ipc']
  child = spawn(command, args, { stdio, env: { PATH: process.env.PATH } })
  if (typeof stdout === 'number') closeSync(stdout)
  assert.deepEqual(await once(child, 'message'), ['ready', undefined])
}

function hasScript(): boolean {
  return spawnSync('sh', ['-c', 'command -v script']).status === 0
}

async function write(records: number): Promise<Written> {
  child.send({ type: 'write', records } satisfies Order)
  const [written] = await once(child, 'message')
  return written
}

/** Its exit code, or the signal that ended it. */
async function exit(): Promise<unknown> {
  const exited = once(child, 'exit')
  child.send({ type: 'exit' } satisfies Order)
  const [code, signal] = await exited
  return code ?? signal
}

/** A named pipe with both ends open. The descriptor for writing is the child's. */
function openFifo(): { path: string; readFd: number; writeFd: number } {
  const path = join(folder, 'fifo')
  execFileSync('sh', ['-c', 'mkfifo "$0"', path])
  const readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  return { path, readFd, writeFd: openSync(path, constants.O_WRONLY) }
}

/** Reads until the text has come. */
async function readUntil(stream: NodeJS.ReadableStream, text: string): Promise<string> {
  let all = ''
  for await (const chunk of stream) {
    all += chunk
    if (all.includes(text)) return all
  }
  throw new Error(`ended without ${text}: ${all.slice(-500)}`)
}

function assertNoStall({ worstTurnMs, heapMiB }: Written): void {
  assert.ok(worstTurnMs < STALLED_MS, `a turn took ${worstTurnMs} ms`)
  assert.ok(heapMiB < 150, `${heapMiB} MiB in memory`)
}

/** Every record is either there, whole, or counted as dropped. */
function assertAccounted(text: string, records: number): void {
  const lines = text.split('\n')
  const there = lines.filter((line) => / TRACE Request processed client_ip=.* outcome=complete$/.test(line)).length
  const dropped = lines.filter((line) => line.includes('WARN Log records dropped'))
  assert.equal(dropped.length, 1)
  const count = Number(/ count=(\d+)$/.exec(dropped[0]!)?.[1])
  // The event that follows the records came while lines were dropped, so it is among them.
  assert.equal(there + count, records + 1)
  assert.ok(there * 1024 > 6 * 1024 * 1024, 'the queue was used')
}

describe('stdout that nobody reads', { timeout: 30_000 }, () => {
  test('(a socket) stalls nothing, and what was dropped is counted when it recovers', async () => {
    await start('pipe')
    assertNoStall(await write(FLOOD))
    assertAccounted(await readUntil(child.stdout!, 'Log records dropped'), FLOOD)
    assert.equal(await exit(), 0)
  })

  test('(a pipe) stalls nothing, and what was dropped is counted when it recovers', async () => {
    const { readFd, writeFd } = openFifo()
    await start(writeFd)
    assertNoStall(await write(FLOOD))
    const reader = new net.Socket({ fd: readFd, readable: true, writable: false })
    assertAccounted(await readUntil(reader, 'Log records dropped'), FLOOD)
    assert.equal(await exit(), 0)
  })

  test('(a pipe) does not keep the process from exiting', async () => {
    const { readFd, writeFd } = openFifo()
    await start(writeFd)
    await write(FLOOD)
    assert.equal(await exit(), 0)
    closeSync(readFd)
  })

  test('(a terminal) stalls nothing', { skip: !hasScript() && 'script(1) is missing' }, async () => {
    // script(1) gives it a terminal and stops reading that one when its own output is not read.
    await start('terminal')
    assertNoStall(await write(FLOOD))
    const text = await readUntil(child.stdout!, 'Log records dropped')
    assertAccounted(text.replaceAll('\r\n', '\n').replaceAll(/\u001b\[\d+m/g, ''), FLOOD)
    assert.match(text, /Z \u001b\[35mTRACE\u001b\[0m Request processed /)
  })
})

describe('stdout that breaks', { timeout: 30_000 }, () => {
  test('(a reader that leaves) stops nothing, and a new one gets what has been kept', async () => {
    const { path, readFd, writeFd } = openFifo()
    await start(writeFd)
    closeSync(readFd)
    assertNoStall(await write(1000))
    const reader = new net.Socket({ fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), writable: false })
    const text = await readUntil(reader, 'INFO Written records=1000\n')
    assert.equal(text.split('Request processed').length - 1, 1000)
    assert.equal(await exit(), 0)
  })

  test('(a reader that leaves for good) neither kills nor hangs', async () => {
    await start('pipe')
    child.stdout!.destroy()
    assertNoStall(await write(FLOOD))
    assertNoStall(await write(1))
    assert.equal(await exit(), 0)
  })

  test('(a full disk) neither kills nor hangs', async () => {
    await start(openSync('/dev/full', 'w'))
    assertNoStall(await write(FLOOD))
    assert.equal(await exit(), 0)
  })
})

test('lines that cannot be written keep no process alive', { timeout: 30_000 }, () => {
  const logging = new URL('../../../src/observe/logging.ts', import.meta.url)
  const code = `import { openLogging } from '${logging}'; openLogging().log.info('never written')`
  const full = openSync('/dev/full', 'w')
  const args = ['--input-type=module', '--eval', code]
  const ended = spawnSync(process.execPath, args, { stdio: ['ignore', full, 'inherit'], timeout: 10_000 })
  closeSync(full)
  assert.equal(ended.status, 0)
})

describe('stdout that is a file', { timeout: 30_000 }, () => {
  test('gets everything, at its end', async () => {
    const path = join(folder, 'log')
    await start(openSync(path, 'a'))
    await write(5000)
    assert.equal(await exit(), 0)
    const lines = readFileSync(path, 'utf8').split('\n')
    assert.equal(lines.length, 5002)
    assert.match(lines[5000]!, / INFO Written records=5000$/)
  })
})
