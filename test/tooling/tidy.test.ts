import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkImports } from '../../scripts/tidy/imports.ts'
import { checkManifest } from '../../scripts/tidy/manifest.ts'
import { checkNames } from '../../scripts/tidy/names.ts'
import { checkWords } from '../../scripts/tidy/words.ts'

// The rules must be able to fail.

const imports = (path: string, text: string): string[] => checkImports([{ path, text }])

test('imports downwards, from node: and from the own folder pass', () => {
  const text = [
    "import net from 'node:net'",
    "import type { Head } from '../http/message.ts'",
    "import {\n  encode,\n} from './encoder.ts'",
    "import { FAILURES } from '../failure.ts'",
    "// Not an import: this differs from 'head'.",
  ].join('\n')
  assert.deepEqual(imports('src/http1/server-connection.ts', text), [])
})

for (const [path, statement, complaint] of [
  ['src/http/message.ts', "import { serve } from '../exchange/serve.ts'", 'http may not import exchange'],
  ['src/http1/encoder.ts', "import {\n  serve,\n} from '../exchange/serve.ts'", 'http1 may not import exchange'],
  ['src/http1/encoder.ts', "export { x } from '../listener/listener.ts'", 'http1 may not import listener'],
  ['src/http1/encoder.ts', "const x = await import('../cli/run.ts')", 'http1 may not import cli'],
  ['src/runtime/workers.ts', "new Worker(new URL('../main.ts', import.meta.url))", 'runtime may not import main'],
  ['src/exchange/route.ts', "import { load } from '../config/load.ts'", 'exchange may not import config'],
  ['src/exchange/route.ts', "import { parse } from 'yaml'", 'exchange may not import the package yaml'],
  ['src/config/load.ts', "import '../../test/support/clock.ts'", 'src may not import test/support/clock.ts'],
  [
    'src/config/text/tree.ts',
    "import { check } from '../schema/validate.ts'",
    'config/text may not import config/schema',
  ],
  ['src/config/load.ts', "import { parse } from 'yaml'", 'config may not import the package yaml'],
  ['src/tools/stand-in/api.ts', "import { go } from '../diff/job.ts'", 'tools/stand-in may not import tools/diff'],
  ['src/anything/new.ts', '', 'anything has no row'],
] as const) {
  test(`${path}: ${complaint}`, () => {
    const [problem = '', ...others] = imports(path, statement)
    assert.ok(problem.includes(complaint), problem)
    assert.deepEqual(others, [])
  })
}

test('a single file of a folder can be open', () => {
  assert.deepEqual(imports('src/exchange/route.ts', "import type { Snapshot } from '../config/snapshot.ts'"), [])
})

test('names that say nothing and paths that are too deep are found', () => {
  const names = [
    'src/http/fields.ts',
    'src/http/string-utils.ts',
    'src/http/fields/parse/very/deep.ts',
    'bench/README.md',
  ]
  const problems = checkNames(names.map((path) => ({ path, text: '' })))
  assert.deepEqual(problems, [
    'src/http/string-utils.ts: "string-utils" says nothing about what is inside',
    'src/http/fields/parse/very/deep.ts: deeper than 3 folders',
  ])
})

test("what is true on one machine only is found, and a reader's own path is not", () => {
  const text = [
    'fine: ~/fluxgate, /etc/fluxgate.yaml, $HOME/fluxgate/x',
    `cd ${'/home'}/alice`,
    `see ${'registry'}.example.com/x`,
  ]
  const problems = checkWords([{ path: 'README.md', text: text.join('\n') }])
  assert.deepEqual(
    problems.map((problem) => problem.split(':').slice(0, 3).join(':')),
    ['README.md:2: a path of one machine', "README.md:3: a package registry's host"],
  )
})

test('the manifest names exact versions, and the lock file is complete', () => {
  const lock = {
    version: '1.0.0',
    packages: {
      'node_modules/a': { hasInstallScript: true, optionalDependencies: { 'b-linux-arm64': '1.0.0' } },
      'node_modules/c': { dev: true, hasInstallScript: true, resolved: 'somewhere' },
    },
  }
  const problems = checkManifest([
    {
      path: 'package.json',
      text: JSON.stringify({ version: '1.0.0', dependencies: { a: '^1.0.0', b: '1.0.0', c: 'npm:b@1.2.3' } }),
    },
    { path: 'package-lock.json', text: JSON.stringify(lock) },
  ])
  assert.deepEqual(problems, [
    'package.json: a must name one exact version, not ^1.0.0',
    'package-lock.json: node_modules/a runs an install script in production',
    'package-lock.json: node_modules/c has a resolved URL: npm must read .npmrc',
    'package-lock.json: b-linux-arm64 has no entry, so npm ci refuses the file: run node scripts/complete-lock.ts',
  ])
})
