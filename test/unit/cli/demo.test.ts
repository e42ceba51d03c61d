import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, afterEach, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { COMMAND } from '../../support/gateway.ts'

let folder: string
let child: ChildProcess
let output = ''

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'fluxgate-demo-test-'))
  // The demo is to run wherever it is tried, also next to a configuration that is none of its business.
  writeFileSync(join(folder, 'fluxgate.yaml'), 'nonsense: [')
})

after(() => rmSync(folder, { recursive: true }))

afterEach(() => {
  child.kill('SIGKILL')
})

function start(...args: string[]): void {
  child = spawn(COMMAND, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  output = ''
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
}

async function said(text: string): Promise<void> {
  while (!output.includes(text)) await once(child.stdout!, 'data')
}

const hasCurl = spawnSync('curl', ['--version']).status === 0
const hasOpenssl = spawnSync('openssl', ['version']).status === 0

describe('the demo', { timeout: 30_000 }, () => {
  for (const tls of [[], ['--tls']]) {
    const isMissing = (!hasCurl && 'curl is missing') || (tls.length > 0 && !hasOpenssl && 'openssl is missing')
    test(`serves what it tells to try ${tls}`, { skip: isMissing }, async () => {
      start('demo', '--bind-address', '127.0.0.1:0', ...tls)
      await said('Ctrl-C stops the demo.')
      const commands = [...output.matchAll(/^ {2}(curl (?:.*\\\n)*.*)\n/gm)].map((match) => match[1]!)
      const answers = await Promise.all(commands.map((command) => promisify(execFile)('sh', ['-c', command])))
      const [openai, anthropic, gemini, wrongKey] = answers.map(({ stdout }) => stdout)
      assert.match(openai!, /^data: \{.*"object":"chat\.completion\.chunk"[\s\S]*data: \[DONE\]\n\n$/)
      assert.equal(JSON.parse(anthropic!).type, 'message')
      assert.ok(JSON.parse(gemini!).candidates[0].content.parts[0].text)
      assert.match(wrongKey!, /^HTTP\/(?:1\.1|2) 401 /)
      assert.match(wrongKey!, /\r\nx-fluxgate-error: /i)
      child.kill('SIGTERM')
      await said('Proxy server shutdown complete')
      await said('total')
      assert.match(output, /\nanthropic +stand-in-1 +1 +0 +\d+ .* 0\.\d+ /)
      await once(child, 'close')
      for (const [, file] of output.matchAll(/--cacert (\/\S+)/g)) assert.ok(!existsSync(file!), 'it is thrown away')
    })
  }

  test('says what it lacks to speak TLS', async () => {
    child = spawn(COMMAND, ['demo', '--tls'], {
      cwd: folder,
      env: { ...process.env, PATH: folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const [stderr, [code]] = await Promise.all([text(child.stderr!), once(child, 'close')])
    assert.match(stderr, /^error: the demo makes its certificate with openssl, which is not there/)
    assert.equal(code, 1)
  })

  test('has only its own lines in the log and stops with Ctrl-C', async () => {
    start('demo', '--bind-address=127.0.0.1:0')
    await said('Ctrl-C stops the demo.')
    child.kill('SIGINT')
    assert.deepEqual(await once(child, 'close'), [0, null])
    assert.doesNotMatch(output, /WARN|ERROR|fluxgate\.yaml/)
    assert.match(output, /INFO Fluxgate proxy server listening on 127\.0\.0\.1:\d+\n/)
    assert.match(output, /INFO Proxy server shutdown complete\n$/)
  })

  test('says what is wrong with an address that is none', async () => {
    start('demo', '--bind-address', 'localhost')
    assert.deepEqual(await once(child, 'close'), [2, null])
    assert.match(
      output,
      /^error: invalid value 'localhost' for '--bind-address <ADDRESS>': must be an IPv4 address .+\n\nUsage: fluxgate demo \[OPTIONS\]\n/,
    )
  })

  test('suggests another address when its own is taken', async () => {
    const other = net.createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = `127.0.0.1:${(other.address() as net.AddressInfo).port}`
    start('demo', '--bind-address', address)
    assert.deepEqual(await once(child, 'close'), [1, null])
    assert.ok(output.includes(`error: ${address} cannot be listened on; try another one with --bind-address\n`))
    other.close()
  })
})

test('without a configuration the gateway starts on defaults and names the path as it was given', async () => {
  rmSync(join(folder, 'fluxgate.yaml'))
  start()
  await said('Starting proxy server on 0.0.0.0:8080')
  assert.match(output, /^.{27} INFO Starting fluxgate proxy with configuration path path=fluxgate\.yaml\n/)
  assert.match(
    output,
    /\n.{27} WARN Using default configuration due to load failure path=fluxgate\.yaml error=.* cause=io\n/,
  )
})
