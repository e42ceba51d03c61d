import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startDemo } from '../support/demo.ts'

// What `npm publish` would send, installed in an empty folder.

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const MODULES = path.join(ROOT, 'node_modules')
const scratch = mkdtempSync(path.join(tmpdir(), 'fluxgate-package-'))
const app = path.join(scratch, 'app')
const installed = path.join(app, 'node_modules/fluxgate')
const command = path.join(app, 'node_modules/.bin/fluxgate')
after(() => rmSync(scratch, { recursive: true }))

interface Packed {
  readonly filename: string
  readonly size: number
  readonly files: readonly { readonly path: string }[]
}

let packed: Packed

function run(file: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(file, args, { cwd, encoding: 'utf8', timeout: 100_000 })
  assert.equal(status, 0, `${file} ${args.join(' ')}: ${stdout}${stderr}`)
  return stdout
}

/** As npm lays it out, from what is here: for a machine that reaches no registry. */
function installByHand(tarball: string): void {
  mkdirSync(path.join(app, 'node_modules/.bin'), { recursive: true })
  run('tar', ['xzf', tarball, '-C', scratch], scratch)
  cpSync(path.join(scratch, 'package'), installed, { recursive: true })
  for (const name of ['yaml', 'valibot']) {
    cpSync(path.join(MODULES, name), path.join(app, 'node_modules', name), { recursive: true })
  }
  symlinkSync('../fluxgate/bin/fluxgate', command)
}

before(() => {
  const staging = path.join(scratch, 'staging')
  mkdirSync(app)
  mkdirSync(staging)
  for (const name of ['package.json', 'README.md', 'LICENSE', 'THIRD-PARTY-NOTICES', 'bin', 'config']) {
    cpSync(path.join(ROOT, name), path.join(staging, name), { recursive: true })
  }
  symlinkSync(MODULES, path.join(staging, 'node_modules'))
  run(process.execPath, ['scripts/build.ts', path.join(staging, 'dist')], ROOT)
  const [first] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', scratch], staging)) as Packed[]
  packed = first!
  const tarball = path.join(scratch, packed.filename)
  writeFileSync(path.join(app, 'package.json'), '{"name":"app","version":"1.0.0","type":"module"}')
  const options = ['--prefer-offline', '--omit=optional', '--no-audit', '--no-fund', '--fetch-retries=0']
  const npm = spawnSync('npm', ['install', ...options, '--fetch-timeout=10000', tarball], { cwd: app, timeout: 60_000 })
  if (npm.status !== 0) {
    rmSync(path.join(app, 'node_modules'), { recursive: true, force: true })
    installByHand(tarball)
  }
  // What optionalDependencies would bring; too large to be fetched for a test.
  for (const name of readdirSync(MODULES).filter((each) => each.startsWith('node-linux-'))) {
    symlinkSync(path.join(MODULES, name), path.join(app, 'node_modules', name))
  }
})

test('it is small, and holds nothing of the development', () => {
  assert.ok(packed.size < 400 * 1024, `${packed.size} bytes`)
  const tops = new Set(packed.files.map((file) => file.path.split('/')[0]))
  assert.deepEqual(
    [...tops].sort(),
    ['LICENSE', 'README.md', 'THIRD-PARTY-NOTICES', 'bin', 'config', 'dist', 'package.json'].sort(),
  )
  assert.deepEqual(
    packed.files.filter(({ path: name }) => /(?<!\.d)\.ts$|\.test\.|\.map$/.test(name)),
    [],
  )
})

test('with its dependencies it takes less than 15 MB', () => {
  let bytes = 0
  for (const entry of readdirSync(path.join(app, 'node_modules'), { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && !entry.parentPath.includes('node-linux-'))
      bytes += statSync(path.join(entry.parentPath, entry.name)).size
  }
  assert.ok(bytes < 15 * 1024 * 1024, `${bytes} bytes`)
})

test('the compiled form stands line by line where the source does', () => {
  const source = spawnSync('wc', ['-l', 'src/exchange/serve.ts', 'src/library/start.ts'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  const files = ['dist/exchange/serve.js', 'dist/library/start.js']
  const compiled = spawnSync('wc', ['-l', ...files], { cwd: installed, encoding: 'utf8' })
  const counts = (text: string): string[] => text.match(/\d+(?= )/g) ?? []
  assert.deepEqual(counts(compiled.stdout), counts(source.stdout))
})

test('its command says its version, and runs the demo', async () => {
  const version = run(command, ['--version'], scratch)
  assert.match(version, /^fluxgate \d+\.\d+\.\d+\n$/)
  await using demo = await startDemo(command, scratch, process.env)
  const headers = { authorization: `Bearer ${demo.key}` }
  assert.equal((await fetch(`http://${demo.address}/openai/v1/models`, { headers })).status, 200)
  assert.equal(await demo.stop(), 0)
})

const CONSUMER = `
import { type GatewayError, type RunningGateway, startGateway } from 'fluxgate'
const gateway: RunningGateway = await startGateway({
  config: {
    version: 1,
    server: { bind_address: '127.0.0.1:0', workers: 2, allow_anonymous: true },
    upstreams: { connect_timeout_ms: 5000, a: { request_path: '/a', target_url: 'http://127.0.0.1:9' } },
  },
  env: { KEY: undefined },
  log: (line: string) => void line,
})
await gateway.reload({ version: 1, server: { bind_address: '127.0.0.1:0' } })
const { cut }: { readonly cut: number } = await gateway.stop({ timeoutMs: 0 })
try {
  await startGateway({ config: { path: '/does/not/exist' } })
} catch (error) {
  const { code, problems } = error as GatewayError
  console.log(cut, code, problems.length)
}
`

test('a TypeScript program compiles against it, and runs', () => {
  writeFileSync(path.join(app, 'consumer.ts'), `${CONSUMER}declare const console: { log(...all: unknown[]): void }\n`)
  const tsc = path.join(MODULES, '.bin/tsc')
  const options = [
    '--module',
    'nodenext',
    '--target',
    'esnext',
    '--strict',
    '--exactOptionalPropertyTypes',
    '--types',
    '',
  ]
  run(tsc, [...options, '--ignoreConfig', 'consumer.ts'], app)
  assert.equal(run(process.execPath, ['consumer.js'], app), '0 ERR_FLUXGATE_CONFIGURATION 1\n')

  const wrong = CONSUMER.replace('request_path:', 'request_pth:').replace('workers: 2', "workers: 'two'")
  writeFileSync(path.join(app, 'wrong.ts'), `${wrong}declare const console: { log(...all: unknown[]): void }\n`)
  const { status, stdout } = spawnSync(tsc, [...options, '--ignoreConfig', '--noEmit', 'wrong.ts'], {
    cwd: app,
    encoding: 'utf8',
  })
  assert.notEqual(status, 0)
  assert.match(stdout, /request_pth/)
  assert.match(stdout, /"two"/)
})

test('its bill of materials names what it needs, and nothing else', () => {
  const { components } = JSON.parse(run(process.execPath, ['scripts/sbom.ts'], ROOT)) as {
    components: readonly { readonly name: string; readonly version: string }[]
  }
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'))
  assert.deepEqual(Object.fromEntries(components.map(({ name, version }) => [name, version])), {
    ...dependencies,
    ...optionalDependencies,
  })
})

test('the example of the guide compiles', () => {
  const guide = readFileSync(path.join(ROOT, 'docs/guide/install.md'), 'utf8')
  const example = /```ts\n(import \{ startGateway[\s\S]*?)```/.exec(guide)![1]!
  writeFileSync(path.join(app, 'example.ts'), example)
  const options = ['--module', 'nodenext', '--target', 'esnext', '--lib', 'esnext,dom', '--types', '', '--strict']
  run(path.join(MODULES, '.bin/tsc'), [...options, '--noEmit', '--ignoreConfig', 'example.ts'], app)
})

test('what is not exported cannot be imported', () => {
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', 'import "fluxgate/dist/main.js"'],
    {
      cwd: app,
      encoding: 'utf8',
    },
  )
  assert.notEqual(status, 0)
  assert.match(stderr, /ERR_PACKAGE_PATH_NOT_EXPORTED/)
})

/** A Node of this machine that is too old for the gateway. */
const old = (process.env.PATH ?? '')
  .split(':')
  .map((folder) => path.join(folder, 'node'))
  .find((node) => existsSync(node) && /^v2[0-3]\./.test(spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout))

test('a Node that is too old for the library is told so', {
  skip: old === undefined && 'there is no old Node here',
}, () => {
  const program = "import('fluxgate').then((f) => f.startGateway({})).catch((e) => console.log(e.code, e.message))"
  const { stdout } = spawnSync(old!, ['--input-type=module', '--eval', program], { cwd: app, encoding: 'utf8' })
  assert.match(
    stdout,
    /^ERR_FLUXGATE_NODE fluxgate needs Node 24 or later in the program that imports it, and this is 2\d\./,
  )
})
