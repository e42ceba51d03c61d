/**
 * `npm run build:binary [-- ARCH [FOLDER]]`: dist-binary/fluxgate-linux-ARCH, Node and the program in one file, with the texts of all
 * licences beside it. ARCH is x64 or arm64, this machine's unless it is said; for another one `npm pack` brings that one's Node.
 *
 * It takes `strip`: Node comes with 34 MB of symbols. GNU's knows one architecture, llvm-strip knows all.
 */
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { build, type Plugin } from 'esbuild'

const [arch = process.arch, out = 'dist-binary'] = process.argv.slice(2)
const PACKAGE = `node-linux-${arch}`
const NAME = `fluxgate-linux-${arch}`

/** As in `bin/fluxgate`. */
const NODE_OPTIONS = ['--disable-sigusr1', '--use-system-ca', '--max-semi-space-size=2', '--v8-pool-size=1']

/** Where threads begin, by what they are called in the file. */
const THREADS = ['config/watch/worker', 'workers/worker', 'ledger/worker'] as const

function fail(message: string): never {
  console.error(message)
  process.exit(1)
}

function run(file: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (status === 0) return stdout
  fail(`${file} ${args.join(' ')}: ${error?.message ?? `exit ${status}: ${stdout}${stderr}`}`)
}

/** What the source names by URL is in the file under a name. */
const embedded: Plugin = {
  name: 'embedded',
  setup({ onLoad }) {
    onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => {
      const contents = readFileSync(path, 'utf8').replace(
        /\bnew URL\('([^']+)', import\.meta\.url\)/g,
        (_, file: string) => {
          const target = relative('.', resolve(dirname(path), file)).replace(/^src\/(.*)\.ts$/, '$1')
          return `new URL('embedded:${target}')`
        },
      )
      return { contents, loader: 'ts' }
    })
  },
}

/** Names are kept, and lines as they are: what stands in a log must be legible. */
async function bundle(entry: string, format: 'esm' | 'cjs', outfile: string): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile,
    format,
    bundle: true,
    platform: 'node',
    target: `node${process.versions.node}`,
    legalComments: 'inline',
    logLevel: 'warning',
    // Where nothing is found by its place.
    define: { 'import.meta.dirname': '""' },
    plugins: [embedded],
    // For packages that ask for Node's modules in the old way.
    ...(format === 'esm' && { banner: { js: 'const require = (name) => process.getBuiltinModule(name)' } }),
  })
}

/** The Node of package-lock.json, for that architecture; its folder. */
function findNode(scratch: string): string {
  const here = join('node_modules', PACKAGE)
  if (existsSync(here)) return here
  const { optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    optionalDependencies: Record<string, string>
  }
  const version = optionalDependencies[PACKAGE]
  if (version === undefined) fail(`there is no Node for ${arch} among the optionalDependencies`)
  const [{ filename }] = JSON.parse(
    run('npm', 'pack', '--json', '--pack-destination', scratch, `${PACKAGE}@${version}`),
  ) as [{ filename: string }]
  run('tar', 'xzf', join(scratch, filename), '-C', scratch)
  return join(scratch, 'package')
}

function stripped(node: string, scratch: string): string {
  const file = join(scratch, 'node')
  const program = arch === process.arch ? ['strip', 'llvm-strip'] : ['llvm-strip']
  for (const name of program) {
    if (spawnSync(name, ['-o', file, node], { stdio: 'ignore' }).status === 0) return file
  }
  return fail(`Node's symbols cannot be taken out: install binutils${arch === process.arch ? '' : ' of LLVM'}`)
}

async function make(scratch: string): Promise<void> {
  const folder = findNode(scratch)
  const main = join(scratch, 'main.mjs')
  await bundle('src/main.ts', 'esm', main)
  const assets: Record<string, string> = { 'package.json': 'package.json', 'config/prices.json': 'config/prices.json' }
  for (const thread of THREADS) {
    assets[thread] = join(scratch, `${thread.replaceAll('/', '-')}.cjs`)
    await bundle(`src/${thread}.ts`, 'cjs', assets[thread])
  }
  mkdirSync(out, { recursive: true })
  const output = join(out, NAME)
  const config = join(scratch, 'sea.json')
  const options = {
    main,
    mainFormat: 'module',
    assets,
    output,
    executable: stripped(join(folder, 'bin/node'), scratch),
  }
  const start = { execArgv: NODE_OPTIONS, execArgvExtension: 'env', disableExperimentalSEAWarning: true }
  writeFileSync(config, JSON.stringify({ ...options, ...start }))
  rmSync(output, { force: true })
  run(process.execPath, `--build-sea=${config}`)
  for (const name of ['LICENSE', 'THIRD-PARTY-NOTICES']) cpSync(name, join(out, name))
  copyFileSync(join(folder, 'LICENSE'), join(out, 'LICENSE-NODE'))
  console.log(`${output}: ${(statSync(output).size / 1e6).toFixed(1)} MB`)
}

const scratch = mkdtempSync(join(tmpdir(), 'fluxgate-binary-'))
try {
  await make(scratch)
} finally {
  rmSync(scratch, { recursive: true })
}
