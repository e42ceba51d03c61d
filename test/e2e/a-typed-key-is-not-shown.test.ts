import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { Watch } from '../support/deadline.ts'
import { COMMAND } from '../support/gateway.ts'

// `script` gives the command a terminal of its own; what it writes is what a person would see.

const skip = spawnSync('script', ['--version']).status === 0 ? false : 'script (bsdutils) is missing'
const SECRET = 'fgk_typed_0123456789'
const PROMPT = 'press Enter: '

interface Terminal {
  type(text: string): void
  until(text: string): Promise<unknown>
  seen(): string
}

/** `fluxgate hash-key`, whose pid is shown before it, and the state of the terminal after it. */
function open(t: TestContext): Terminal {
  const command = `sh -c 'echo pid $$; exec "${COMMAND}" hash-key'; echo "code $?"; stty -a; echo over`
  const child = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const watch = new Watch()
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    watch.notice()
  })
  return {
    type: (text) => void child.stdin.write(text),
    until: (text) =>
      watch.until(
        () => output.includes(text),
        () => `${text} in ${JSON.stringify(output)}`,
      ),
    seen: () => output,
  }
}

function assertRestored(terminal: Terminal): void {
  const state = terminal.seen().slice(terminal.seen().indexOf('speed'))
  for (const flag of ['echo', 'icanon', 'isig']) assert.match(state, new RegExp(`[\\s;]${flag}[\\s;]`), flag)
}

const typed: Readonly<Record<string, string>> = {
  'as it is': `${SECRET}\r`,
  'with a slip that is taken back': `${SECRET}yx\x7f\b\r`,
  'a second time, after the line was erased': `other\x15${SECRET}\n`,
  'with an arrow key': `${SECRET}\x1b[D\r`,
  'with Ctrl-D at its end': `${SECRET}\x04`,
}

for (const [how, text] of Object.entries(typed)) {
  test(`a key that is typed ${how} is hashed and never shown`, { skip }, async (t) => {
    const terminal = open(t)
    await terminal.until(PROMPT)
    terminal.type(text)
    await terminal.until('over')
    assert.ok(terminal.seen().includes(`${hash('sha256', SECRET, 'hex')}\r\n`), terminal.seen())
    assert.match(terminal.seen(), /code 0\r\n/)
    assert.doesNotMatch(terminal.seen(), /fgk_|other/)
    assertRestored(terminal)
  })
}

test('Ctrl-C gives up and leaves the terminal as it was', { skip }, async (t) => {
  const terminal = open(t)
  await terminal.until(PROMPT)
  terminal.type(`${SECRET}\x03`)
  await terminal.until('over')
  assert.match(terminal.seen(), /code 130\r\n/)
  assert.doesNotMatch(terminal.seen(), /fgk_/)
  assertRestored(terminal)
})

for (const [signal, code] of [
  ['SIGTERM', 143],
  ['SIGINT', 130],
  ['SIGHUP', 129],
] as const) {
  test(`${signal} gives up and leaves the terminal as it was`, { skip }, async (t) => {
    const terminal = open(t)
    await terminal.until(PROMPT)
    process.kill(Number(/pid (\d+)/.exec(terminal.seen())![1]), signal)
    await terminal.until('over')
    assert.match(terminal.seen(), new RegExp(`code ${code}\r\n`))
    assert.doesNotMatch(terminal.seen(), /fgk_/)
    assertRestored(terminal)
  })
}

test('nothing typed is no key', { skip }, async (t) => {
  const terminal = open(t)
  await terminal.until(PROMPT)
  terminal.type('\r')
  await terminal.until('over')
  assert.match(terminal.seen(), /error: no key on stdin/)
  assert.match(terminal.seen(), /code 1\r\n/)
})
