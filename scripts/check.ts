/**
 * `npm run check`: everything that a machine can say about the code without running it. Each check is a command that is
 * also useful alone; two run at a time, and what a failed one printed follows at the end.
 */
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { delimiter, resolve } from 'node:path'
import { text } from 'node:stream/consumers'

interface Check {
  readonly name: string
  readonly command: readonly string[]
}

interface Result extends Check {
  readonly passed: boolean
  readonly output: string
}

const checks: Check[] = [
  { name: 'types', command: ['tsc', '--noEmit', '--pretty', 'false'] },
  {
    name: 'lint and format',
    command: ['biome', 'check', '--error-on-warnings', '--max-diagnostics=50', '--colors=off'],
  },
  { name: 'dead code', command: ['knip', '--no-progress'] },
  // Without its tests the program must still need each of its files and packages.
  {
    name: 'dead code without tests',
    command: ['knip', '--no-progress', '--production', '--include=files,dependencies'],
  },
  { name: 'house rules', command: ['node', 'scripts/tidy.ts'] },
  { name: 'build', command: ['node', 'scripts/build.ts'] },
  ...globSync('scripts/generate-*.ts')
    .sort()
    .map((script) => ({ name: `fresh: ${script}`, command: ['node', script, '--check'] })),
]

const PATH = [resolve('node_modules/.bin'), process.env.PATH].join(delimiter)

async function run(check: Check): Promise<Result> {
  const [file, ...args] = check.command
  const child = spawn(file!, args, { env: { ...process.env, PATH }, stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = new Promise<number | null>((settle) => {
    child.once('error', () => settle(null))
    child.once('close', settle)
  })
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), exited])
  return { ...check, passed: code === 0, output: out + err }
}

async function runAll(): Promise<Result[]> {
  const waiting = checks.values()
  const results: Result[] = []
  const lane = async (): Promise<void> => {
    for (const check of waiting) {
      const started = performance.now()
      const result = await run(check)
      results.push(result)
      console.log(
        `${result.passed ? 'pass' : 'FAIL'}  ${check.name} (${((performance.now() - started) / 1000).toFixed(1)} s)`,
      )
    }
  }
  await Promise.all([lane(), lane()])
  return results
}

const failed = (await runAll()).filter((result) => !result.passed)
for (const { name, command, output } of failed) console.log(`\n--- ${name}: ${command.join(' ')}\n${output.trimEnd()}`)
console.log(
  failed.length === 0 ? `\n${checks.length} checks passed` : `\n${failed.length} of ${checks.length} checks failed`,
)
process.exitCode = failed.length === 0 ? 0 : 1
