import {
  type CommandName,
  DEFAULT_CONFIG_PATH,
  DEFAULT_DEMO_ADDRESS,
  OPTION_VALUES,
  USAGES,
  usageError,
} from './usage.ts'

/** The command line, read from left to right: whatever decides first (help, version, a mistake) decides. */

export type Command =
  | { readonly name: 'run' | 'check'; readonly configPath: string }
  | { readonly name: 'demo'; readonly bindAddress: string }
  | { readonly name: 'hash-key' }
  | { readonly name: 'help'; readonly about: CommandName }
  | { readonly name: 'version' }
  /** `text` goes to stderr. */
  | { readonly name: 'usage-error'; readonly text: string }

type Option = { readonly spelling: string; readonly value: string | undefined }

/** `--name=value` has its value at hand, any other argument has none. */
function splitOption(argument: string): Option {
  const equals = argument.indexOf('=')
  if (!argument.startsWith('--') || equals < 0) return { spelling: argument, value: undefined }
  return { spelling: argument.slice(0, equals), value: argument.slice(equals + 1) }
}

function isCommandName(text: string): text is 'check' | 'demo' | 'hash-key' {
  return text === 'check' || text === 'demo' || text === 'hash-key'
}

export function parseArguments(args: readonly string[]): Command {
  let command: CommandName = 'run'
  let given: string | undefined
  const mistake = (problem: string): Command => ({ name: 'usage-error', text: usageError(command, problem) })

  for (let i = 0; i < args.length; i++) {
    const argument = args[i]!
    if (command === 'run' && isCommandName(argument)) {
      command = argument
      // `fluxgate --config x check` is fine, `fluxgate --config x demo` would ignore a file that somebody named
      if (given !== undefined && USAGES[command].option !== '--config') return mistake(unexpected('--config'))
      continue
    }
    const { spelling, value } = splitOption(argument)
    const flag = readFlag(spelling, command)
    if (flag !== undefined) {
      if (value === undefined) return flag
      return mistake(`unexpected value '${value}' for '${spelling}' found; no more were expected`)
    }
    const option = USAGES[command].option
    if (option === undefined || spelling !== option) return mistake(unexpected(shownArgument(spelling)))
    const shown = `${option} ${OPTION_VALUES[option]}`
    if (given !== undefined) return mistake(`the argument '${shown}' cannot be used multiple times`)
    given = value ?? args[++i]
    if (!given || (value === undefined && /^-./.test(given))) {
      return mistake(`a value is required for '${shown}' but none was supplied`)
    }
  }
  return complete(command, given)
}

function unexpected(argument: string): string {
  return `unexpected argument '${argument}' found`
}

/** `-h`, `-V` and their long forms; of short ones written together (`-hV`) the first decides. */
function readFlag(spelling: string, command: CommandName): Command | undefined {
  if (spelling === '--help' || /^-h/.test(spelling)) return { name: 'help', about: command }
  if (spelling === '--version' || /^-V/.test(spelling)) return { name: 'version' }
  return undefined
}

/** Of short options written together only the first one is the mistake. */
function shownArgument(spelling: string): string {
  return /^-[^-]/.test(spelling) ? [...spelling].slice(0, 2).join('') : spelling
}

function complete(command: CommandName, given: string | undefined): Command {
  switch (command) {
    case 'run':
    case 'check':
      return { name: command, configPath: given ?? DEFAULT_CONFIG_PATH }
    case 'demo':
      return { name: command, bindAddress: given ?? DEFAULT_DEMO_ADDRESS }
    case 'hash-key':
      return { name: command }
  }
}
