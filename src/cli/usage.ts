/** What the command line takes, as `--help` and usage errors show it. */

export const DEFAULT_CONFIG_PATH = 'fluxgate.yaml'
export const DEFAULT_DEMO_ADDRESS = '127.0.0.1:8080'

export type CommandName = 'run' | 'check' | 'demo' | 'hash-key'
export type OptionName = '--config' | '--bind-address'

export const OPTION_VALUES: Readonly<Record<OptionName, string>> = {
  '--config': '<CONFIG>',
  '--bind-address': '<ADDRESS>',
}

interface Usage {
  readonly lines: readonly string[]
  readonly about: string
  /** The one option that it takes beside `--help` and `--version`. */
  readonly option: OptionName | undefined
}

export const USAGES: Readonly<Record<CommandName, Usage>> = {
  run: {
    lines: ['Usage: fluxgate [OPTIONS]', '       fluxgate <COMMAND> [OPTIONS]'],
    about: 'Fluxgate proxy service: between applications and LLM providers, keys in one place, bytes untouched',
    option: '--config',
  },
  check: {
    lines: ['Usage: fluxgate check [OPTIONS]'],
    about: 'Validates the configuration and prints every problem; exits with 0 if there is none',
    option: '--config',
  },
  demo: {
    lines: ['Usage: fluxgate demo [OPTIONS]'],
    about: 'Runs the gateway against a built-in stand-in provider, without any configuration or account',
    option: '--bind-address',
  },
  'hash-key': {
    lines: ['Usage: fluxgate hash-key'],
    about: 'Prints the SHA-256 digest of a key read from stdin, for api_keys.static[].key_sha256',
    option: undefined,
  },
}

const OPTION_HELP: Readonly<Record<OptionName, string>> = {
  '--config': `Configuration file, YAML [default: ${DEFAULT_CONFIG_PATH}]`,
  '--bind-address': `Address and port to listen on [default: ${DEFAULT_DEMO_ADDRESS}]`,
}

const COMMANDS = `
Commands:
  check     Validate the configuration and print every problem
  demo      Run against a built-in stand-in provider
  hash-key  Print the digest of a key read from stdin
  (none)    Run the gateway
`

const ENVIRONMENT = `
Environment:
  FLUXGATE_LOG         Least level that is logged: trace, debug, info, warn, error [default: trace]
  FLUXGATE_LOG_FORMAT  text, json [default: text]
  FLUXGATE_LOG_STYLE   Colour: auto, always, never [default: auto]
`

export function helpText(command: CommandName): string {
  const { about, lines, option } = USAGES[command]
  const options: [string, string][] = [
    ['-h, --help', 'Print help'],
    ['-V, --version', 'Print version'],
  ]
  if (option !== undefined) options.unshift([`    ${option} ${OPTION_VALUES[option]}`, OPTION_HELP[option]])
  const width = Math.max(...options.map(([spelling]) => spelling.length))
  const optionLines = options.map(([spelling, meaning]) => `  ${spelling.padEnd(width)}  ${meaning}\n`)
  const isRun = command === 'run'
  return `${about}\n\n${lines.join('\n')}\n${isRun ? COMMANDS : ''}\nOptions:\n${optionLines.join('')}${
    isRun ? ENVIRONMENT : ''
  }`
}

/** A mistake on the command line, as it is written to stderr. */
export function usageError(command: CommandName, problem: string): string {
  return `error: ${problem}\n\n${USAGES[command].lines[0]}\n\nFor more information, try '--help'.\n`
}
