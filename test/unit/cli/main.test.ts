import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { DEMO_KEY, demoConfiguration, demoText } from '../../../src/cli/demo-text.ts'

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))

function fluxgate(args: readonly string[], input = ''): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { input, encoding: 'utf8' })
  return { code: status, stdout, stderr }
}

describe('fluxgate --help', () => {
  test('says what it is, how to call it and what it takes', () => {
    const { code, stdout, stderr } = fluxgate(['--help'])
    assert.equal(code, 0)
    assert.equal(stderr, '')
    assert.match(stdout, /^Fluxgate proxy service/)
    assert.match(stdout, /^Usage: fluxgate \[OPTIONS\]$/m)
    assert.match(stdout, /^Options:$/m)
    assert.match(stdout, /^ {6}--config <CONFIG> .*\[default: fluxgate\.yaml\]$/m)
    assert.match(stdout, /^ {2}-h, --help {2,}Print help$/m)
    assert.match(stdout, /^ {2}-V, --version {2,}Print version$/m)
  })

  for (const [command, usage, option] of [
    ['check', 'Usage: fluxgate check [OPTIONS]', '--config <CONFIG>'],
    ['demo', 'Usage: fluxgate demo [OPTIONS]', '--bind-address <ADDRESS>'],
    ['diff', 'Usage: fluxgate diff --upstream <NAME> [OPTIONS]', '--upstream <NAME>'],
    ['hash-key', 'Usage: fluxgate hash-key', '--help'],
    ['token', 'Usage: fluxgate token [OPTIONS]', '--check <TOKEN>'],
  ] as const) {
    test(`of ${command} is about ${command}`, () => {
      const { code, stdout } = fluxgate([command, '--help'])
      assert.equal(code, 0)
      assert.ok(stdout.split('\n').includes(usage))
      assert.ok(stdout.includes(option))
    })
  }

  test('is no failure when its reader has left', () => {
    const command = `{ '${process.execPath}' '${MAIN}' --help; echo "code $?" >&2; } | true`
    assert.equal(spawnSync('sh', ['-c', command], { encoding: 'utf8' }).stderr, 'code 0\n')
  })
})

test('fluxgate --version says that of package.json', () => {
  const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
  for (const option of ['--version', '-V']) {
    assert.deepEqual(fluxgate([option]), { code: 0, stdout: `fluxgate ${manifest.version}\n`, stderr: '' })
  }
})

test('a mistake on the command line is told on stderr, exit 2', () => {
  assert.deepEqual(fluxgate(['--nonsense']), {
    code: 2,
    stdout: '',
    stderr:
      "error: unexpected argument '--nonsense' found\n\nUsage: fluxgate [OPTIONS]\n\nFor more information, try '--help'.\n",
  })
})

describe('fluxgate hash-key', () => {
  for (const [input, key] of [
    ['secret', 'secret'],
    ['secret\n', 'secret'],
    ['secret\r\n', 'secret'],
    ['secret\n\n', 'secret\n'],
    ['secret\r', 'secret\r'],
    [' Schlüssel ', ' Schlüssel '],
  ] as const) {
    test(`${JSON.stringify(input)} gives the digest of ${JSON.stringify(key)}`, () => {
      assert.deepEqual(fluxgate(['hash-key'], input), { code: 0, stdout: `${hash('sha256', key)}\n`, stderr: '' })
    })
  }

  for (const input of ['', '\n', '\r\n']) {
    test(`${JSON.stringify(input)} is no key`, () => {
      const { code, stdout, stderr } = fluxgate(['hash-key'], input)
      assert.equal(code, 1)
      assert.equal(stdout, '')
      assert.match(stderr, /^error: no key on stdin/)
    })
  }
})

describe('the demo', () => {
  test('explains itself with the address that it listens on', () => {
    const text = demoText('0.0.0.0:8080', DEMO_KEY)
    assert.ok(
      text.includes(`curl -N http://127.0.0.1:8080/openai/v1/chat/completions -H 'Authorization: Bearer ${DEMO_KEY}'`),
    )
    assert.ok(!text.includes('0.0.0.0'))
    assert.ok(demoText('[::]:81', DEMO_KEY).includes('http://[::1]:81/gemini/'))
  })

  test('cannot be given more configuration than an address', () => {
    const text = demoConfiguration('127.0.0.1:1"\nupstreams: {}', 9, 'provider-key', undefined, undefined)
    assert.ok(text.includes('bind_address: "127.0.0.1:1\\"\\nupstreams: {}"\n'))
  })
})
