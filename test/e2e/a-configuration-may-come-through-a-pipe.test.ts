import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { readPipe } from '../../src/config/pipe.ts'
import { get, upTo } from '../support/bytes.ts'
import { COMMAND, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'
import { makeFifo } from '../unit/config/configuration-folder.ts'

const skip = process.platform === 'win32' ? 'there are no FIFOs' : false

const GOOD = `version: 1
upstreams:
  a: { request_path: /a, target_url: "http://127.0.0.1:9", api_key: { file: provider-key } }
api_keys: { static: [{ key: fgk_0123456789abcdef }] }
`

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'fluxgate-pipe-'))
  t.after(() => rmSync(folder, { recursive: true }))
  writeFileSync(path.join(folder, 'provider-key'), 'provider-key-0123456789')
  writeFileSync(path.join(folder, 'good.yaml'), GOOD)
  return folder
}

/** A line of the shell, in a folder with the file and the secret; `fluxgate` is the command. */
function shell(t: TestContext, line: string): { code: number | null; out: string } {
  const script = `fluxgate() { "${COMMAND}" "$@"; }\n${line}`
  const { status, stdout, stderr } = spawnSync('sh', ['-c', script], { cwd: folderOf(t), encoding: 'utf8' })
  return { code: status, out: stdout + stderr }
}

const lines: Readonly<Record<string, readonly [line: string, code: number, out: RegExp]>> = {
  'standard input': ['cat good.yaml | fluxgate check --config -', 0, /^<stdin>: OK, 1 upstream, 1 key\n$/],
  'standard input, slowly': [
    '(head -c 20 good.yaml; sleep 0.3; tail -c +21 good.yaml) | fluxgate check --config -',
    0,
    /^<stdin>: OK/,
  ],
  'standard input that is a file': ['fluxgate check --config - < good.yaml', 0, /^<stdin>: OK/],
  '/dev/stdin': ['cat good.yaml | fluxgate check --config /dev/stdin', 0, /^\/dev\/stdin: OK/],
  'a descriptor, as <(…) makes it': [
    'mkfifo p; cat good.yaml > p & fluxgate check --config /dev/fd/5 5< p',
    0,
    /^\/dev\/fd\/5: OK/,
  ],
  'a FIFO whose writer comes later': [
    'mkfifo p; (sleep 0.3; cat good.yaml > p) & fluxgate check --config p',
    0,
    /^p: OK/,
  ],
  'a mistake': ['echo "version: 2" | fluxgate check --config -', 1, /^<stdin>:1:1: version: must be the integer 1\n/],
  nothing: [
    'true | fluxgate check --config -',
    1,
    /^<stdin>: is empty: what should write into it has written nothing\n/,
  ],
  'too much': ['head -c 20000000 /dev/zero | fluxgate check --config -', 1, /^<stdin>: is larger than 10 MiB\n/],
  'a mistake, for the gateway': ['echo "version: 2" | fluxgate --config -', 1, /<stdin>:1:1: version: must be/],
  'nothing, for the gateway': ['true | fluxgate --config -', 1, /<stdin>: is empty/],
}

for (const [what, [line, code, out]] of Object.entries(lines)) {
  test(`a pipe with ${what}`, { skip }, (t) => {
    const seen = shell(t, line)
    assert.match(seen.out, out)
    assert.equal(seen.code, code)
  })
}

test('a FIFO that nobody writes does not wait for ever', { skip }, (t) => {
  const fifo = path.join(folderOf(t), 'fifo')
  makeFifo(fifo)
  assert.equal(readPipe(fifo, 1000, 50).wrong, 'has not come to an end within 0.05 s')
})

test('a gateway serves what came through a pipe, watches nothing, and says so', { skip }, async () => {
  await using origin = await startOrigin()
  const throughPipe = 'mkfifo p && { cat "$3" > p & } && exec "$1" --config - < p'
  await using gateway = await startGateway(upTo(origin), {
    under: ['sh', '-c', throughPipe, 'sh'],
    wait: 'Configuration was read from a pipe and is not watched',
  })
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
  gateway.signal('SIGHUP')
  await gateway.waitForLog('Configuration was read from a pipe and cannot be read again')
  assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
  gateway.signal('SIGTERM')
  assert.deepEqual(await gateway.exited, { code: 0, signal: null })
})
