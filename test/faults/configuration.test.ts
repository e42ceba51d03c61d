import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, closeSync, ftruncateSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { get, upTo } from '../support/bytes.ts'
import { WITHIN_A_SECOND_MS } from '../support/deadline.ts'
import { COMMAND, type RunningGateway, startGateway } from '../support/gateway.ts'
import { residentBytes } from '../support/memory.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'
import { makeFifo } from '../unit/config/configuration-folder.ts'

const MEBIBYTE = 1024 * 1024
const REFUSED = 'Configuration file changed but validation failed; keeping previous settings'
const DENIED = 'Configuration file access denied during polling; continuing with last valid configuration'
const RELOADED = 'Configuration file changed, reloaded automatically'
/** Several looks at the file: 125 ms lie between two of them, and its content is read again every half second. */
const SEVERAL_LOOKS_MS = 1200

const status = async ({ port }: RunningGateway, target: string): Promise<number> =>
  (await exchange(port, get(target))).status

/** Nine levels of nine aliases each: a thousand million times the first list. */
function aliasBomb(): string {
  const levels = ['a0: &a0 [x, x, x, x, x, x, x, x, x]']
  for (let i = 1; i < 10; i++)
    levels.push(`a${i}: &a${i} [${Array.from({ length: 9 }, () => `*a${i - 1}`).join(', ')}]`)
  return `version: 1\n${levels.join('\n')}\n`
}

function writeSparse(file: string, bytes: number): void {
  const descriptor = openSync(file, 'w')
  ftruncateSync(descriptor, bytes)
  closeSync(descriptor)
}

const obstacles: Readonly<Record<string, readonly [place: (file: string) => void, error: RegExp]>> = {
  'a directory': [(file) => mkdirSync(file), /is a directory, not a file/],
  'a FIFO that nobody writes': [makeFifo, /is a FIFO, not a file/],
  'a file of 100 MB': [(file) => writeSparse(file, 100_000_000), /is larger than 10 MiB/],
  'bytes that are not UTF-8': [
    (file) => writeFileSync(file, Buffer.from('version: 1 # \xff\xfe\n', 'latin1')),
    /UTF-8/,
  ],
  'a bomb of aliases': [(file) => writeFileSync(file, aliasBomb()), /alias/i],
}

/** What was in force goes on, however often the watcher looks, and it was told once. */
async function assertKept(gateway: RunningGateway): Promise<void> {
  assert.equal(await status(gateway, '/up/x'), 200)
  await sleep(SEVERAL_LOOKS_MS)
  assert.equal(await status(gateway, '/up/x'), 200)
  assert.equal(gateway.log().split('"WARN"').length, 2, 'told once')
}

/** What is saved then is live within a second. */
async function assertRecovers(gateway: RunningGateway, origin: Origin): Promise<void> {
  gateway.rewrite(upTo(origin, { request_path: '/next' }))
  chmodSync(gateway.configPath, 0o644)
  const savedAt = performance.now()
  await gateway.waitForLog(RELOADED)
  const elapsed = performance.now() - savedAt
  assert.ok(elapsed < WITHIN_A_SECOND_MS, `${elapsed} ms`)
  assert.equal(await status(gateway, '/next/x'), 200)
  assert.equal(await status(gateway, '/up/x'), 404)
  assert.equal(gateway.log().split(RELOADED).length, 2)
}

describe('in the place of the configuration file:', { concurrency: 3 }, () => {
  for (const [what, [place, error]] of Object.entries(obstacles)) {
    test(`${what}: reported once, in bounded memory, and the configuration of before goes on`, async () => {
      await using origin = await startOrigin()
      await using gateway = await startGateway(upTo(origin))
      assert.equal(await status(gateway, '/up/x'), 200)
      const before = process.platform === 'linux' ? residentBytes(gateway.pid) : 0
      const prepared = `${gateway.configPath}.prepared`
      place(prepared)
      renameSync(gateway.configPath, `${gateway.configPath}.away`)
      renameSync(prepared, gateway.configPath)
      await gateway.waitForLog(REFUSED)
      assert.match(gateway.log().split(REFUSED)[1]!, error)
      if (before > 0) {
        const growth = residentBytes(gateway.pid) - before
        assert.ok(growth < 32 * MEBIBYTE, `${growth / MEBIBYTE} MiB`)
      }
      await assertKept(gateway)
      rmSync(gateway.configPath, { recursive: true })
      await assertRecovers(gateway, origin)
    })
  }

  test('a FIFO: it is never opened, so that nobody who writes into it loses what they write', async (t) => {
    await using origin = await startOrigin()
    await using gateway = await startGateway(upTo(origin))
    rmSync(gateway.configPath)
    makeFifo(gateway.configPath)
    // Waits in open(2) until somebody opens it for reading, for however short a time.
    const writer = spawn('sh', ['-c', ': > "$0"', gateway.configPath])
    t.after(() => writer.kill('SIGKILL'))
    await gateway.waitForLog(REFUSED)
    await sleep(SEVERAL_LOOKS_MS)
    assert.equal(writer.exitCode, null)
    assert.equal(await status(gateway, '/up/x'), 200)
  })
})

const NOBODY = '65534'
const dropPrivileges = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups']
const isRoot = process.geteuid?.() === 0

/** Root may read everything, so the gateway runs as somebody else, who gets into its folder. */
const asNobody = ['sh', '-c', 'chmod 755 . && chmod 644 fluxgate.yaml && exec "$@"', 'sh', ...dropPrivileges]

function whyNobodyCannot(): string | false {
  if (process.platform === 'win32') return 'there are no permissions'
  if (!isRoot) return false
  const [command, ...args] = [...dropPrivileges, 'test', '-r', COMMAND]
  return spawnSync(command!, args).status === 0
    ? false
    : 'root may read everything, and nobody else may start the gateway'
}

describe('a configuration file that may no longer be read', { skip: whyNobodyCannot(), concurrency: true }, () => {
  for (const [what, bar] of Object.entries({
    'because of its own mode': ({ configPath }: RunningGateway) => chmodSync(configPath, 0o000),
    'because of the mode of its folder': ({ directory }: RunningGateway) => chmodSync(directory, 0o000),
  })) {
    test(`${what}: reported once, and the configuration of before goes on`, async () => {
      await using origin = await startOrigin()
      await using gateway = await startGateway(upTo(origin), isRoot ? { under: asNobody } : {})
      bar(gateway)
      await gateway.waitForLog(DENIED)
      await assertKept(gateway)
      chmodSync(gateway.directory, 0o755)
      chmodSync(gateway.configPath, 0o644)
      await sleep(SEVERAL_LOOKS_MS)
      assert.ok(!gateway.log().includes(RELOADED), 'it is back as it was: no news')
      await assertRecovers(gateway, origin)
    })
  }
})
