import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { get } from '../support/bytes.ts'
import { startDemo } from '../support/demo.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

// The one-file executable (docs/decisions/0043), with no Node anywhere on the PATH. Any other test of a command runs with it as
// well: FLUXGATE_TEST_COMMAND=dist-binary/fluxgate-linux-x64.

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const NOWHERE = { PATH: '/nowhere' }
const scratch = mkdtempSync(path.join(tmpdir(), 'fluxgate-one-file-'))
const binary = path.join(scratch, 'out', `fluxgate-linux-${process.arch}`)
// Before it is imported.
process.env.FLUXGATE_TEST_COMMAND = binary
const { startGateway } = await import('../support/gateway.ts')

after(() => rmSync(scratch, { recursive: true }))

function cannotBuild(): string | false {
  if (!existsSync(path.join(ROOT, 'node_modules', `node-linux-${process.arch}`)))
    return 'there is no Node to put it into'
  const hasStrip = ['strip', 'llvm-strip'].some((name) => spawnSync(name, ['--version']).status === 0)
  return hasStrip ? false : 'there is no strip (apt-get install binutils)'
}

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(binary, args, {
    cwd: scratch,
    encoding: 'utf8',
    env: { ...NOWHERE, ...env },
  })
  return { status, stdout, stderr }
}

describe('the one-file executable', { skip: cannotBuild() }, () => {
  before(() => {
    const args = ['scripts/build-binary.ts', process.arch, path.dirname(binary)]
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' })
    assert.equal(status, 0, stderr)
  })

  test('is one file of less than 130 MB, with the licences of all that is in it', () => {
    assert.ok(statSync(binary).size < 130e6, String(statSync(binary).size))
    for (const name of ['LICENSE', 'THIRD-PARTY-NOTICES', 'LICENSE-NODE']) {
      assert.ok(existsSync(path.join(path.dirname(binary), name)), name)
    }
  })

  test('tells its version, and takes no options of Node', () => {
    const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'))
    assert.deepEqual(run(['--version']), { status: 0, stdout: `fluxgate ${version}\n`, stderr: '' })
    const { status, stderr } = run(['--eval', 'process.exit(0)'])
    assert.equal(status, 2)
    assert.match(stderr, /--eval/)
  })

  test('checks a configuration', () => {
    const file = path.join(scratch, 'fluxgate.yaml')
    writeFileSync(file, 'version: 1\nupstreams: { a: { request_path: a, target_url: "http://a" } }\n')
    assert.equal(run(['check']).status, 1)
    writeFileSync(file, 'version: 1\nserver: { allow_anonymous: true }\n')
    assert.equal(run(['check']).status, 0)
  })

  test('is told by a process of its own only how to end', () => {
    const command = ['-c', `FLUXGATE_EXIT="$$ 7" exec ${binary} --version`]
    assert.equal(spawnSync('sh', command).status, 7)
    assert.equal(run(['--version'], { FLUXGATE_EXIT: '1 7' }).status, 0)
  })

  test('runs the demo', async () => {
    await using demo = await startDemo(binary, scratch, NOWHERE)
    const headers = { authorization: `Bearer ${demo.key}` }
    assert.equal((await fetch(`http://${demo.address}/openai/v1/models`, { headers })).status, 200)
    assert.equal(await demo.stop(), 0)
  })

  for (const workers of [1, 2]) {
    test(`serves with ${workers}, and sees what changes`, async () => {
      await using origin = await startOrigin(OK)
      const upstream = { target_url: `http://127.0.0.1:${origin.port}`, api_key: 'a-provider-key' }
      const config = { server: { workers }, upstreams: { up: { request_path: '/up', ...upstream } } }
      await using gateway = await startGateway(config, { env: NOWHERE })
      assert.equal((await exchange(gateway.port, get('/up/x'))).status, 200)
      gateway.rewrite({ ...config, upstreams: { up: { request_path: '/other', ...upstream } } })
      await gateway.waitForLog('Configuration file changed, reloaded automatically')
      assert.equal((await exchange(gateway.port, get('/other/x'))).status, 200)
      gateway.signal('SIGHUP')
      await gateway.waitForLog('Configuration file changed, reloaded automatically', 2)

      // Same pid, and what a process needs from its start.
      const environment = readFileSync(`/proc/${gateway.pid}/environ`, 'latin1')
      assert.match(environment, /UV_THREADPOOL_SIZE=32\0/)
      assert.match(environment, /MALLOC_ARENA_MAX=1\0/)
      gateway.signal('SIGTERM')
      assert.deepEqual(await gateway.exited, { code: 0, signal: null })
    })
  }
})
