/**
 * `npm run build [FOLDER]`: dist/, what the npm package and the image are made of. Starts it once to see that it runs.
 *
 * The JavaScript is the source with its types blanked out, as Node itself does it, and its comments: every line and column is
 * where it is in `src/`, so a stack trace of the package can be read in the repository, and no source map is needed (they would be
 * larger than the code). The types are those of the library, and what these lean on.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { transformSync } from 'esbuild'
import { lineOf } from './tidy/tree.ts'

const out = process.argv[2] ?? 'dist'

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

/** Imports, and the files that threads begin with, which are named by `new URL`. As long as before. */
const OWN_FILE = /\b(from |import |import\(|new URL\()'(\.\.?\/[^'\n]*)\.ts'/g

function rewrite(path: string, text: string): string {
  const rewritten = text.replace(OWN_FILE, (whole, before: string, name: string) => {
    if (!existsSync(join(dirname(path), `${name}.ts`))) fail(`${path}: names ${whole}, which is not there`)
    return `${before}'${name}.js'`
  })
  const left = /'\.[^'\n]*\.ts'/.exec(rewritten)
  if (left !== null) fail(`${path}:${lineOf(rewritten, left.index)}: still names ${left[0]}`)
  return rewritten
}

/** Lines that are nothing but a comment, and blanks at the ends of lines. */
const COMMENT_LINES = /^[ \t]*(?:\/\/.*|\/\*(?:(?!\*\/)[\s\S])*\*\/)[ \t]*$|[ \t]+$/gm

/** A quarter of the package were comments. What only looks like one, in a text of several lines, would change the code: that is compared. */
function blankComments(path: string, code: string): string {
  const blanked = code.replace(COMMENT_LINES, (lines) => lines.replace(/[^\n]/g, ''))
  const essence = (text: string): string => transformSync(text, { minifyWhitespace: true, legalComments: 'none' }).code
  if (essence(blanked) !== essence(code)) fail(`${path}: a text of several lines has one that looks like a comment`)
  return blanked
}

function emitCode(): void {
  for (const path of globSync('src/**/*.ts')) {
    const target = join(out, `${path.slice('src/'.length, -'.ts'.length)}.js`)
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, rewrite(path, blankComments(path, stripTypeScriptTypes(readFileSync(path, 'utf8')))))
  }
}

/** The compiler writes one for every file that it has read; the library's, and those that it names, are enough. */
function emitTypes(): void {
  const folder = mkdtempSync(join(tmpdir(), 'fluxgate-types-'))
  try {
    run('node_modules/.bin/tsc', '--project', 'tsconfig.build.json', '--outDir', folder)
    const needed = new Set(['library'])
    for (const name of needed) {
      const text = readFileSync(join(folder, `${name}.d.ts`), 'utf8')
      for (const [, , to] of text.matchAll(OWN_FILE)) needed.add(join(dirname(name), to!))
      writeFileSync(join(out, `${name}.d.ts`), rewrite(`src/${name}.ts`, text))
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

// Node warns that `stripTypeScriptTypes` is experimental, though it starts every `.ts` file with it.
process.removeAllListeners('warning')
rmSync(out, { recursive: true, force: true })
emitCode()
emitTypes()

// Beside it stands its package, wherever it is.
const manifest = join(dirname(resolve(out)), 'package.json')
if (!existsSync(manifest)) cpSync('package.json', manifest)
const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
const said = run(process.execPath, join(out, 'main.js'), '--version')
if (!said.includes(version)) fail(`${out}/main.js --version said ${JSON.stringify(said)}, not ${version}`)
