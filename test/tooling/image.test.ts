import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

// The Dockerfile, as far as that can be tried without an engine: what its steps need gets into the build, and what it starts is right.
// (That its command line is the gateway's: test/e2e/every-way-of-starting-is-the-same-gateway.test.ts.)

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const dockerfile = readFileSync(path.join(ROOT, 'Dockerfile'), 'utf8')

/** What `.dockerignore` lets through; each of its lines but the first two lets in one name. */
const context = readFileSync(path.join(ROOT, '.dockerignore'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('!'))
  .map((line) => line.slice(1))

test('what is let into the build is enough for it', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'fluxgate-context-'))
  try {
    for (const name of context) cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true })
    symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'))
    const { status, stderr } = spawnSync(process.execPath, ['scripts/build.ts'], { cwd: folder, encoding: 'utf8' })
    assert.deepEqual([status, stderr], [0, ''])
    const copied = /cp -r (.*) \/image\/app\//.exec(dockerfile)![1]!.split(' ')
    for (const name of copied) assert.ok(existsSync(path.join(folder, name)), name)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

const words = (instruction: string): string[] =>
  JSON.parse(new RegExp(`^${instruction} ?(\\[.*\\])$`, 'm').exec(dockerfile)![1]!)

test('it runs as nobody in particular, from a folder where the configuration is looked for', () => {
  const last = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '))
  assert.match(last, /^FROM scratch$/m)
  assert.match(last, /^USER 65532:65532$/m)
  assert.match(last, /^WORKDIR \/app$/m)
  assert.deepEqual(words('CMD'), ['--require-configuration'])
})

test('its health is asked of the program that it starts, without a shell', () => {
  const [node, ...rest] = words('ENTRYPOINT')
  assert.deepEqual(words('HEALTHCHECK .* CMD'), [node, rest.at(-1), 'health'])
})
