/** `npm run build`: the compiled form in dist/, for the container image and for publishing. Starts it once to see that it runs. */
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { lineOf } from './tidy/tree.ts'

/** Runs a command that prints what is wrong itself; returns what it printed if all is well. */
function run(file: string, ...args: string[]): string {
  const { status, stdout, error } = spawnSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  if (status === 0) return stdout
  fail(error?.message ?? `${stdout}${file} ${args.join(' ')}: exit ${status}`)
}

function fail(message: string): never {
  console.error(message)
  process.exit(1)
}

rmSync('dist', { recursive: true, force: true })
run('node_modules/.bin/tsc', '--project', 'tsconfig.build.json')

/** tsc rewrites import statements, not strings: the file that a thread begins with is named by `new URL('./worker.ts', …)`. */
const FILE_URL = /\bnew URL\('(\.[^'\n]*)\.ts', import\.meta\.url\)/g

const left = globSync('dist/**/*.js').flatMap((path) => {
  const emitted = readFileSync(path, 'utf8')
  const text = emitted.replace(FILE_URL, (_, name: string) => {
    if (!existsSync(join(dirname(path), `${name}.js`))) fail(`${path}: names ${name}.ts, of which nothing was emitted`)
    return `new URL('${name}.js', import.meta.url)`
  })
  if (text !== emitted) writeFileSync(path, text)
  return [...text.matchAll(/'\.[^'\n]*\.ts'/g)].map(
    (match) => `${path}:${lineOf(text, match.index)}: still names ${match[0]}`,
  )
})
if (left.length > 0) fail(left.join('\n'))

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
const said = run(process.execPath, 'dist/main.js', '--version')
if (!said.includes(version)) fail(`dist/main.js --version said ${JSON.stringify(said)}, not ${version}`)
