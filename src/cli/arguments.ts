import { nearest } from '../config/text/suggest.ts'
import {
  type CommandName,
  DEFAULT_CONFIG_PATH,
  DEFAULT_DEMO_ADDRESS,
  type GivenOptions,
  OPTION_VALUES,
  type OptionName,
  REPEATABLE,
  shownOption,
  USAGES,
  usageError,
} from './usage.ts'

/** The command line, read from left to right: whatever decides first (help, version, a mistake) decides. */

export type Command =
  | {
      readonly name: 'run'
      readonly configPath: string
      readonly requiresConfiguration: boolean
      /** Over the file's. */
      readonly bindAddress: string | undefined
      readonly pidFile: string | undefined
    }
  | { readonly name: 'check'; readonly configPath: string }
  | { readonly name: 'demo'; readonly bindAddress: string; readonly speaksTls: boolean }
  | { readonly name: 'diff' | 'usage'; readonly given: GivenOptions }
  | {
      readonly name: 'prices'
      readonly model: string | undefined
      readonly configPath: string
      readonly isConfigGiven: boolean
    }
  | { readonly name: 'prices-update'; readonly path: string; readonly from: string | undefined }
  | { readonly name: 'ledger'; readonly action: string | undefined; readonly configPath: string }
  | { readonly name: 'token'; readonly given: GivenOptions }
  /** `admin`: where the operations door is, if the file is not to be asked. */
  | { readonly name: 'health' | 'top'; readonly configPath: string; readonly admin: string | undefined }
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

function isCommandName(text: string): text is Exclude<CommandName, 'run'> {
  return text !== 'run' && Object.hasOwn(USAGES, text)
}

export function parseArguments(args: readonly string[]): Command {
  let command: CommandName = 'run'
  const given = new Map<OptionName, string[]>()
  const operands: string[] = []
  const mistake = (problem: string): Command => ({ name: 'usage-error', text: usageError(command, problem) })

  for (let i = 0; i < args.length; i++) {
    const argument = args[i]!
    if (command === 'run' && isCommandName(argument)) {
      command = argument
      // `fluxgate --config x check` is fine, `fluxgate --config x demo` would ignore a file that somebody named
      const ignored = [...given.keys()].find((option) => !USAGES[argument].options.includes(option))
      if (ignored !== undefined) return mistake(unexpected(ignored))
      continue
    }
    if (command === 'run' && argument === 'version') return { name: 'version' }
    if (command === 'run' && argument === 'help') return readHelp(args[i + 1])
    const { spelling, value } = splitOption(argument)
    const flag = readFlag(spelling, command)
    if (flag !== undefined) return value === undefined ? flag : mistake(unexpectedValue(spelling, value))
    const option = USAGES[command].options.find((name) => name === spelling)
    if (option === undefined && !argument.startsWith('-') && operands.length < (USAGES[command].operands ?? 0)) {
      operands.push(argument)
      continue
    }
    if (option === undefined) return mistake(unexpected(shownArgument(spelling), tipFor(spelling, command)))
    const shown = shownOption(option)
    const known = given.get(option) ?? []
    if (given.has(option) && !REPEATABLE.has(option)) {
      return mistake(`the argument '${shown}' cannot be used multiple times`)
    }
    given.set(option, known)
    if (OPTION_VALUES[option] === undefined) {
      if (value !== undefined) return mistake(unexpectedValue(spelling, value))
      continue
    }
    const text = value ?? args[++i]
    if (!text || (value === undefined && /^-./.test(text))) {
      return mistake(`a value is required for '${shown}' but none was supplied`)
    }
    known.push(text)
  }
  return complete(command, given, operands)
}

function unexpectedValue(spelling: string, value: string): string {
  return `unexpected value '${value}' for '${spelling}' found; no more were expected`
}

function unexpected(argument: string, tip?: string): string {
  return `unexpected argument '${argument}' found${tip === undefined ? '' : `\n\n  tip: ${tip}`}`
}

const KEY_TIP =
  "a key on the command line can be read by everybody on the machine; 'diff' takes it from FLUXGATE_DIFF_KEY"
/** What other programs call it. */
const TO_RUN: ReadonlySet<string> = new Set(['run', 'serve', 'start', 'proxy', 'up'])

/** What somebody who wrote this most likely wanted. */
function tipFor(spelling: string, command: CommandName): string | undefined {
  // What people try first; its value, which may follow, is not repeated.
  if (spelling === '--key') return KEY_TIP
  if (spelling.startsWith('-')) {
    const near = nearest(spelling, [...USAGES[command].options, '--help', '--version'])
    return near === undefined ? undefined : `did you mean '${near}'?`
  }
  if (/\.ya?ml$/.test(spelling) && USAGES[command].options.includes('--config'))
    return "a file is named with '--config'"
  return command === 'run' ? tipForCommand(spelling) : undefined
}

function tipForCommand(word: string): string | undefined {
  if (TO_RUN.has(word)) return "'fluxgate' without a command runs the gateway"
  const near = nearest(word, [...Object.keys(USAGES).filter(isCommandName), 'help', 'version'])
  return near === undefined ? undefined : `did you mean '${near}'?`
}

/** `fluxgate help`, `fluxgate help check`; an option after it is none of its business. */
function readHelp(word: string | undefined): Command {
  if (word === undefined || word.startsWith('-') || word === 'help' || word === 'version') {
    return { name: 'help', about: 'run' }
  }
  if (isCommandName(word)) return { name: 'help', about: word }
  return { name: 'usage-error', text: usageError('run', unexpected(word, tipForCommand(word))) }
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

function complete(command: CommandName, given: GivenOptions, operands: readonly string[]): Command {
  const [operand] = operands
  const configPath = given.get('--config')?.[0] ?? DEFAULT_CONFIG_PATH
  switch (command) {
    case 'run':
      return {
        name: command,
        configPath,
        requiresConfiguration: given.has('--require-configuration'),
        bindAddress: given.get('--bind-address')?.[0],
        pidFile: given.get('--pid-file')?.[0],
      }
    case 'check':
      return { name: command, configPath }
    case 'demo':
      return {
        name: command,
        bindAddress: given.get('--bind-address')?.[0] ?? DEFAULT_DEMO_ADDRESS,
        speaksTls: given.has('--tls'),
      }
    case 'prices':
      return completePrices(given, operands, configPath)
    case 'ledger':
      return { name: command, action: operand, configPath }
    case 'diff':
    case 'usage':
    case 'token':
      return { name: command, given }
    case 'health':
    case 'top':
      return { name: command, configPath, admin: given.get('--admin')?.[0] }
    case 'hash-key':
      return { name: command }
  }
}

function completePrices(given: GivenOptions, [operand, path]: readonly string[], configPath: string): Command {
  const mistake = (problem: string): Command => ({ name: 'usage-error', text: usageError('prices', problem) })
  if (operand === 'update') {
    if (given.has('--config')) return mistake(unexpected('--config'))
    if (path === undefined) return mistake("the file to write is missing: 'fluxgate prices update <FILE>'")
    return { name: 'prices-update', path, from: given.get('--from')?.[0] }
  }
  if (path !== undefined) return mistake(unexpected(path))
  if (given.has('--from')) return mistake("'--from' is for 'fluxgate prices update <FILE>'")
  return { name: 'prices', model: operand, configPath, isConfigGiven: given.has('--config') }
}
