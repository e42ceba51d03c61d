import './runtime/old-node.ts'
import { type Command, parseArguments } from './cli/arguments.ts'
import { outliveSignals } from './cli/early-signals.ts'
import { becomeWhole } from './runtime/process-needs.ts'
import { skipMissingRoots } from './runtime/system-roots.ts'
import { exitAsTold, exitProcess } from './runtime/threads.ts'

/** From the command line to the exit code. Each command is imported when it is asked for: a start loads what it runs. */

function print(text: string): void {
  process.stdout.write(text)
}

async function execute(command: Command): Promise<number> {
  switch (command.name) {
    case 'run':
      return (await import('./cli/run.ts')).run(command)
    case 'check':
      return (await import('./cli/check.ts')).check(command.configPath, (line) => print(`${line}\n`))
    case 'demo':
      return (await import('./cli/demo.ts')).demo(command)
    case 'diff':
      return (await import('./cli/diff.ts')).diff(command.given)
    case 'token':
      return (await import('./cli/token.ts')).token(command.given, process.stdin)
    case 'health':
      return (await import('./cli/health.ts')).health(command.configPath, command.admin, (line) => print(`${line}\n`))
    case 'top':
      return (await import('./cli/top.ts')).top(command.configPath, command.admin)
    case 'usage':
      return (await import('./cli/ledger-usage.ts')).ledgerUsage(command.given)
    case 'prices': {
      const { model, configPath, isConfigGiven } = command
      return (await import('./cli/prices.ts')).prices(model, configPath, isConfigGiven, (line) => print(`${line}\n`))
    }
    case 'prices-update': {
      const { path, from } = command
      return (await import('./cli/prices-update.ts')).pricesUpdate(path, from, (line) => print(`${line}\n`))
    }
    case 'ledger':
      return (await import('./cli/ledger.ts')).ledger(command.action, command.configPath)
    case 'hash-key':
      return (await import('./cli/hash-key.ts')).hashKey(process.stdin)
    case 'help':
      print((await import('./cli/usage.ts')).helpText(command.about))
      return 0
    case 'version':
      print(`fluxgate ${(await import('./cli/version.ts')).readVersion()}\n`)
      return 0
    case 'usage-error':
      process.stderr.write(command.text)
      return 2
  }
}

exitAsTold()
const command = parseArguments(process.argv.slice(2))
const isService = command.name === 'run' || command.name === 'demo'
if (isService) outliveSignals()
// The others open no connection.
if (isService || command.name === 'diff' || command.name === 'prices-update')
  skipMissingRoots(process.env, becomeWhole())
// A reader that has left (`fluxgate --help | head -1`) is no failure. A service writes without this stream.
if (!isService) process.stdout.on('error', () => {})
const code = await execute(command)
// What a service logged is flushed, and what it cut may still hold the process; others may still have output in a pipe.
if (isService) await exitProcess(code)
process.exitCode = code
