/** `npm run build`: the compiled form in dist/, for the container image and for publishing. Starts it once to see that it runs. */
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync, rmSync } from 'node:fs'
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

// tsc rewrites import statements, not strings: a worker that is started by `new URL('./worker.ts', …)` would be missing.
const left = globSync('dist/**/*.js').flatMap((path) => {
  const text = readFileSync(path, 'utf8')
  return [...text.matchAll(/'\.[^'\n]*\.ts'/g)].map(
    (match) => `${path}:${lineOf(text, match.index)}: still names ${match[0]}`,
  )
})
if (left.length > 0) fail(left.join('\n'))

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
const said = run(process.execPath, 'dist/main.js', '--version')
if (!said.includes(version)) fail(`dist/main.js --version said ${JSON.stringify(said)}, not ${version}`)
