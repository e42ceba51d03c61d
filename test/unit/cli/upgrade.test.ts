import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createUpgrade, obstacleToUpgrades, reportTo } from '../../../src/cli/upgrade.ts'
import { takeBackPidFile } from '../../../src/cli/who-serves.ts'
import type { Fields, Log } from '../../../src/observe/log.ts'
import { Watch } from '../../support/deadline.ts'

function recording() {
  const watch = new Watch()
  const lines: string[] = []
  const write =
    (level: string) =>
    (message: string, fields: Fields = {}): void => {
      lines.push(`${level} ${message} ${fields['error'] ?? ''}`.trim())
      watch.notice()
    }
  const log: Log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') } as never
  return {
    log,
    lines,
    until: (count: number) =>
      watch.until(
        () => lines.length >= count,
        () => lines.join('\n'),
      ),
  }
}

/** A program in the place of the successor. */
function successor(script: string): readonly string[] {
  return [process.execPath, '-e', script]
}

for (const [name, script, error] of [
  ['that ends', 'process.exit(7)', 'it ended before it listened: exit code 7'],
  ['that is killed', 'process.kill(process.pid, "SIGKILL")', 'it ended before it listened: SIGKILL'],
  ['that says why', 'require("fs").writeSync(3, "no room\\n"); setInterval(() => {}, 1000)', 'no room'],
  ['that says nothing', 'setInterval(() => {}, 1000)', 'it does not listen after 0.3 s'],
] as const) {
  test(`a successor ${name} is none, and another attempt may be made`, async () => {
    const { log, lines, until } = recording()
    const limitMs = name === 'that says nothing' ? 300 : 30_000
    const upgrade = createUpgrade({ log, sockets: () => [], limitMs, command: successor(script) })
    upgrade.begin()
    await until(2)
    upgrade.begin()
    await until(4)
    const failed = `error Upgrade failed; going on ${error}`
    assert.deepEqual(lines, ['info Upgrade started', failed, 'info Upgrade started', failed])
  })
}

test('what came while this process was stopped for longer than the limit is heard', async () => {
  const { log, lines } = recording()
  const command = successor('require("fs").writeSync(3, "listening\\n"); console.log()')
  const upgrade = createUpgrade({ log, sockets: () => [], limitMs: 1, command })
  upgrade.begin()
  // Longer than it takes to start.
  execFileSync(process.execPath, ['-e', 'setTimeout(() => {}, 300)'])
  await Promise.race([upgrade.completed, upgrade.settled()])
  assert.deepEqual(lines, ['info Upgrade started', 'info Upgrade complete; draining'])
})

test('a pid that a successor has put where it did not stay is taken back', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fluxgate-'))
  const path = join(folder, 'pid')
  for (const [found, expected] of [
    ['7\n', '5\n'],
    ['8\n', '8\n'],
    ['5\n', '5\n'],
  ] as const) {
    writeFileSync(path, found)
    writeFileSync(`${path}.7`, '7\n')
    takeBackPidFile(path, 7, 5)
    assert.equal(readFileSync(path, 'utf8'), expected)
    assert.deepEqual(readdirSync(folder), ['pid'])
  }
  rmSync(path)
  takeBackPidFile(path, 7, 5)
  assert.deepEqual(readdirSync(folder), [])
  rmSync(folder, { recursive: true })
})

test('a program that is not there', async () => {
  const { log, lines, until } = recording()
  createUpgrade({ log, sockets: () => [], command: ['/nowhere/fluxgate'] }).begin()
  await until(2)
  assert.match(lines[1]!, /^error Upgrade failed; going on spawn \/nowhere\/fluxgate ENOENT$/)
})

test('what the system refuses leaves things as they were', async () => {
  const { log, lines } = recording()
  const program = `
    import { openSync } from 'node:fs'
    import { createUpgrade } from ${JSON.stringify(new URL('../../../src/cli/upgrade.ts', import.meta.url).href)}
    const said = []
    const log = new Proxy({}, { get: () => (message, fields) => said.push(message + ' ' + (fields.error ?? '')) })
    const upgrade = createUpgrade({ log, sockets: () => [], command: [process.execPath, '-e', ''] })
    try { for (;;) openSync('/dev/null') } catch {}
    upgrade.begin()
    await upgrade.settled()
    process.exit(/^Upgrade failed; going on spawn .* EMFILE$/.test(said.at(-1)) ? 0 : 1)`
  const child = spawn('sh', [
    '-c',
    'ulimit -n 64; exec "$@"',
    'sh',
    process.execPath,
    '--input-type=module',
    '-e',
    program,
  ])
  assert.deepEqual(await once(child, 'exit'), [0, null])
  // And what is thrown.
  createUpgrade({ log, sockets: () => [], command: ['no\0program'] }).begin()
  assert.match(lines.join('\n'), /^error Upgrade failed; going on /)
})

test('one that listens completes it', async () => {
  const { log, lines } = recording()
  const upgrade = createUpgrade({
    log,
    sockets: () => [],
    command: successor('require("fs").writeSync(3, "listening\\n")'),
  })
  upgrade.begin()
  await upgrade.completed
  assert.deepEqual(lines, ['info Upgrade started', 'info Upgrade complete; draining'])
  upgrade.begin()
  assert.equal(lines.length, 2, 'there is one successor')
})

test('what stands in the way is said, and nothing is started', () => {
  for (const obstacle of [obstacleToUpgrades(true), obstacleToUpgrades(false, 1)]) {
    assert.ok(obstacle)
    const { log, lines } = recording()
    createUpgrade({ log, sockets: () => [], obstacle, command: ['/nowhere'] }).begin()
    assert.deepEqual(lines, [`error Upgrade failed; going on ${obstacle}`])
  }
  assert.equal(obstacleToUpgrades(false, 2), undefined)
})

test('nobody waits for a report, or nobody any more', () => {
  reportTo(undefined).listening()
  reportTo(1_000_000).failed('whatever')
})
