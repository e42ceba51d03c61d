import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const SCRIPTED = fileURLToPath(new URL('scripted-process.ts', import.meta.url))

let child: ChildProcess
let log = ''

afterEach(() => {
  child.kill('SIGKILL')
})

function start(drainEnds: 'ended' | 'cut' | 'never', wrong = ''): void {
  child = spawn(process.execPath, [SCRIPTED, drainEnds, wrong], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: { PATH: process.env.PATH },
  })
  log = ''
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
}

async function logged(text: string): Promise<void> {
  while (!log.includes(text)) await once(child.stdout!, 'data')
}

/** How it ended, and what it had logged without timestamps. */
async function end(): Promise<{ code: number | null; signal: string | null; lines: string[] }> {
  const [code, signal] = await once(child, 'close')
  return { code, signal, lines: log.split('\n').map((line) => line.slice(28)) }
}

const STOPPING = 'INFO Shutdown signal received (SIGTERM); shutting down proxy'
const STOPPED = 'INFO Proxy server shutdown complete'

describe('a service', { timeout: 30_000 }, () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`ends with 0 when everything has ended after ${signal}`, async () => {
      start('ended')
      await logged('Running')
      child.kill(signal)
      assert.deepEqual(await end(), {
        code: 0,
        signal: null,
        lines: ['INFO Running', `INFO Shutdown signal received (${signal}); shutting down proxy`, STOPPED, ''],
      })
    })
  }

  test('ends with 1 when something was cut', async () => {
    start('cut')
    await logged('Running')
    child.kill('SIGTERM')
    const { code, lines } = await end()
    assert.equal(code, 1)
    assert.deepEqual(lines.slice(1, -1), [
      STOPPING,
      'WARN Exchanges were cut at the end of the shutdown timeout connections=2',
      STOPPED,
    ])
  })

  for (const [signal, code] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const) {
    test(`ends at once with ${code} when ${signal} comes second`, async () => {
      start('never')
      await logged('Running')
      child.kill('SIGTERM')
      await logged('SIGTERM')
      child.kill(signal)
      const { code: exitCode, lines } = await end()
      assert.equal(exitCode, code)
      const atOnce = `WARN Second shutdown signal received (${signal}); exiting at once`
      assert.deepEqual(lines.slice(1, -1), [STOPPING, atOnce, 'INFO Cut'])
    })
  }

  test('ends at once, and once, however many signals come', async () => {
    start('never')
    await logged('Running')
    child.kill('SIGTERM')
    await logged('SIGTERM')
    for (let n = 0; n < 20; n++) child.kill(n % 2 === 0 ? 'SIGTERM' : 'SIGINT')
    const { code, lines } = await end()
    assert.ok(code === 143 || code === 130)
    assert.equal(lines.filter((line) => line.includes('Second shutdown signal')).length, 1)
  })

  test('ends at once though what it cuts throws', async () => {
    start('never', 'throw at once')
    await logged('Running')
    child.kill('SIGTERM')
    await logged('SIGTERM')
    child.kill('SIGTERM')
    assert.equal((await end()).code, 143)
  })

  test("writes a warning of Node's as a line of the log", async () => {
    start('ended', 'warning')
    await logged('Node.js warning')
    child.kill('SIGTERM')
    const { lines } = await end()
    assert.ok(lines.includes('WARN Node.js warning name=OddWarning code=ODD error="something odd"'), lines.join('\n'))
  })

  test('reloads for a SIGHUP that came while it was starting', async () => {
    start('ended', 'hangup')
    await logged('Hangup seen')
  })

  test('lives through SIGUSR2 and SIGPIPE, and reloads on SIGHUP', async () => {
    start('ended')
    await logged('Running')
    for (const signal of ['SIGUSR2', 'SIGPIPE', 'SIGHUP'] as const) child.kill(signal)
    await logged('Hangup seen')
    child.send('still here')
    await logged('Message seen message="still here"')
  })

  for (const [wrong, origin] of [
    ['throw', 'uncaughtException'],
    ['reject', 'unhandledRejection'],
  ] as const) {
    test(`drains and ends with 1 after an ${origin}, which is one line`, async () => {
      start('ended', wrong)
      const { code, lines } = await end()
      assert.equal(code, 1)
      assert.equal(lines.length, 3)
      const crash = `^ERROR Uncaught exception; shutting down origin=${origin} error="a bug\\\\nof ours" stack="Error: a bug\\\\nof ours\\\\n .*"$`
      assert.match(lines[1]!, new RegExp(crash))
    })
  }

  test('does not drain for ever after a crash', async () => {
    start('never', 'throw')
    assert.equal((await end()).code, 1)
  })

  test('that cannot start says why and ends with 1', async () => {
    start('ended', 'start')
    const { code, lines } = await end()
    assert.equal(code, 1)
    assert.match(
      lines[0]!,
      /^ERROR Uncaught exception; shutting down origin="start or stop" error="cannot start" stack=/,
    )
  })
})
