/** What the command line takes, as `--help` and usage errors show it. */

export const DEFAULT_CONFIG_PATH = 'fluxgate.yaml'
export const DEFAULT_DEMO_ADDRESS = '127.0.0.1:8080'

export type CommandName =
  | 'run'
  | 'check'
  | 'demo'
  | 'diff'
  | 'hash-key'
  | 'health'
  | 'token'
  | 'top'
  | 'usage'
  | 'prices'
  | 'ledger'

/** What an option takes; undefined: nothing. */
export const OPTION_VALUES = {
  '--config': '<CONFIG>',
  '--require-configuration': undefined,
  '--pid-file': '<PATH>',
  '--bind-address': '<ADDRESS>',
  '--admin': '<URL>',
  '--tls': undefined,
  '--upstream': '<NAME>',
  '--direct': undefined,
  '--gateway': '<URL>',
  '--gateway-ca': '<FILE>',
  '--key-file': '<FILE>',
  '--method': '<METHOD>',
  '--path': '<PATH>',
  '--header': '<LINE>',
  '--body': '<FILE>',
  '--strict': undefined,
  '--id': '<ID>',
  '--subject': '<TEXT>',
  '--audience': '<TEXT>',
  '--issuer': '<TEXT>',
  '--expires': '<TIME>',
  '--not-before': '<TIME>',
  '--check': '<TOKEN>',
  '--by': '<NAMES>',
  '--since': '<TIME>',
  '--until': '<TIME>',
  '--where': '<NAME=PATTERN>',
  '--csv': undefined,
  '--json': undefined,
  '--from': '<SOURCE>',
} as const

export type OptionName = keyof typeof OPTION_VALUES

/** The values of each option that was given, in order; none for an option that takes none. */
export type GivenOptions = ReadonlyMap<OptionName, readonly string[]>

/** These may be given several times. */
export const REPEATABLE: ReadonlySet<OptionName> = new Set(['--header', '--audience', '--by', '--where'])

interface Usage {
  readonly lines: readonly string[]
  readonly about: string
  /** What it takes beside `--help` and `--version`. */
  readonly options: readonly OptionName[]
  /** How many arguments it takes that are no options. Default: none. */
  readonly operands?: number
}

export const USAGES: Readonly<Record<CommandName, Usage>> = {
  run: {
    lines: ['Usage: fluxgate [OPTIONS]', '       fluxgate <COMMAND> [OPTIONS]'],
    about: 'Fluxgate proxy service: between applications and LLM providers, keys in one place, bytes untouched',
    options: ['--config', '--bind-address', '--require-configuration', '--pid-file'],
  },
  check: {
    lines: ['Usage: fluxgate check [OPTIONS]'],
    about: 'Validates the configuration and prints every problem; exits with 0 if there is none',
    options: ['--config'],
  },
  demo: {
    lines: ['Usage: fluxgate demo [OPTIONS]'],
    about: 'Runs the gateway against a built-in stand-in provider, without any configuration or account',
    options: ['--bind-address', '--tls'],
  },
  diff: {
    lines: ['Usage: fluxgate diff --upstream <NAME> [OPTIONS]', '       fluxgate diff --direct [OPTIONS]'],
    about: `Sends a request straight to a provider and through the gateway, and compares byte for byte; exits with 0 if
nothing differs that counts, with 1 if something does or could not be compared, with 2 for a mistake in the command line or
the configuration. The provider gets the request twice (GET, HEAD, OPTIONS: three times) and may charge for each`,
    options: [
      '--upstream',
      '--direct',
      '--config',
      '--gateway',
      '--gateway-ca',
      '--key-file',
      '--method',
      '--path',
      '--header',
      '--body',
      '--strict',
    ],
  },
  'hash-key': {
    lines: ['Usage: fluxgate hash-key'],
    about: 'Prints the SHA-256 digest of a key read from stdin, for api_keys.static[].key_sha256',
    options: [],
  },
  health: {
    lines: ['Usage: fluxgate health [OPTIONS]'],
    about: `Asks the operations door of a running gateway whether it is ready, and prints the answer; exits with 0 if it is,
with 1 if not or if nobody answers, within two seconds`,
    options: ['--config', '--admin'],
  },
  top: {
    lines: ['Usage: fluxgate top [OPTIONS]'],
    about: `Shows what a running gateway does, each second anew: requests, streams, time to first byte, connections and errors
of each upstream and key. Plain lines where the output is no terminal; q ends it`,
    options: ['--config', '--admin'],
  },
  token: {
    lines: ['Usage: fluxgate token [OPTIONS]', '       fluxgate token --check <TOKEN> [--config <CONFIG>]'],
    about: `Prints a JSON Web Token, signed by a key under api_keys.jwt; or checks one and says what it lacks: exits with 0 if
the gateway takes it, with 1 if not, with 2 for a mistake in the command line or the configuration`,
    options: ['--config', '--id', '--subject', '--audience', '--issuer', '--expires', '--not-before', '--check'],
  },
  usage: {
    lines: ['Usage: fluxgate usage [OPTIONS]'],
    about: `Says what the ledger has: requests, tokens, cost, errors and time to first token; while the gateway runs, too. Exits with
1 if the ledger cannot be read, with 2 for a mistake in the command line or the configuration`,
    options: ['--by', '--since', '--until', '--where', '--csv', '--json', '--config'],
  },
  prices: {
    lines: ['Usage: fluxgate prices [MODEL] [OPTIONS]', '       fluxgate prices update <FILE> [--from <SOURCE>]'],
    about: `Prints what would be charged for a model and where that comes from; exits with 1 if no price is known. Without a
model: which prices there are. 'update' fetches the newest public prices into a file for usage.price_table and prints what is
different; exits with 1, and leaves the file as it was, unless all of them are right`,
    options: ['--config', '--from'],
    operands: 2,
  },
  ledger: {
    lines: ['Usage: fluxgate ledger schema [OPTIONS]'],
    about: 'Prints the tables of the ledger, for those who make them themselves',
    options: ['--config'],
    operands: 1,
  },
}

const OPTION_HELP: Readonly<Record<OptionName, string>> = {
  '--config': `Configuration file, YAML; - for stdin, read once [default: ${DEFAULT_CONFIG_PATH}]`,
  '--require-configuration':
    'Without a valid configuration print its problems and exit with 1, instead of waiting for one',
  '--bind-address':
    'Where to listen: 127.0.0.1:8080, [::1]:8080 or unix:PATH [default: server.bind_address of the file]',
  '--pid-file': 'Holds the pid of the process that accepts; after an upgrade (SIGUSR2) that is another one',
  '--admin': `Operations door of the gateway: http://HOST:PORT or unix:PATH; its token is in FLUXGATE_ADMIN_TOKEN
[default: admin.bind_address and admin.token of the file]`,
  '--tls': 'Speak TLS, with a certificate that is thrown away in the end; needs openssl',
  '--upstream': 'Upstream of the configuration to compare with',
  '--direct': 'Needs no provider: compares against a recording origin of its own, with a battery of odd requests',
  '--gateway': 'Gateway to compare [default: from server.bind_address; with --direct: one of its own]',
  '--gateway-ca': 'PEM file of certificates to trust, for a gateway at https:// [default: those of the machine]',
  '--key-file': 'File with the gateway key, - for stdin [default: the key in FLUXGATE_DIFF_KEY]',
  '--method': 'Method of the request [default: GET, with --body POST]',
  '--path': 'Path and query behind the prefix [default: /v1/models]',
  '--header': `Field line of the request, 'Name: value'; may be given several times; {key}, {host} and
{env:NAME} in it stand for the credential, the host and a variable of the environment`,
  '--body': 'File with the body of the request, - for stdin',
  '--strict': 'Content counts also where the provider does not repeat itself, as a model does not',
  '--id': 'Which key signs: its id [default: the only one]',
  '--subject': 'Who the token is for (sub); the log shows it',
  '--audience': 'What the token is for (aud); may be given several times [default: what the key wants]',
  '--issuer': 'Who issues it (iss) [default: what the key wants]',
  '--expires': `When it ends: 30m, 8h, 7d from now, a time such as 2030-01-31T12:00:00Z, or never
[default: 1h after it begins]`,
  '--not-before': 'When it begins, likewise [default: at once, without nbf]',
  '--check': 'A token to check instead, - for stdin, so that no history and no list of processes has it',
  '--by': `A line for each of these: key, model, upstream, day, hour, status, outcome; several with commas
[default: one line for all]`,
  '--since': 'From when on: 30m, 24h, 7d, 4w before now, or a time such as 2026-01-31 (UTC) [default: 7d]',
  '--until': 'Until when, likewise [default: now]',
  '--where': 'Only what fits: model=gpt-*, key=team-a; may be given several times',
  '--csv': 'Values with commas between them, for a spreadsheet',
  '--json': 'An array of objects with the names of the log',
  '--from': `With update: a URL or a file, of the data of genai-prices or of a table that update has written
[default: where genai-prices publishes them, on GitHub]`,
}

/** Where an option is something else for one command. */
const OWN_HELP: Partial<Record<CommandName, Partial<Record<OptionName, string>>>> = {
  demo: { '--bind-address': `Address and port to listen on [default: ${DEFAULT_DEMO_ADDRESS}]` },
}

const COMMANDS = `
Commands:
  check     Validate the configuration and print every problem
  demo      Run against a built-in stand-in provider
  diff      Compare, byte for byte, the gateway with a provider without it
  health    Ask a running gateway whether it is ready
  hash-key  Print the digest of a key read from stdin
  ledger    Print the tables of the ledger
  prices    Print what would be charged for a model, or update the prices
  token     Print a JSON Web Token, or say what one lacks
  top       Show what a running gateway does
  usage     Say what the ledger has: tokens, cost, requests
  help      Print help, also of a command: fluxgate help check
  version   Print version
  (none)    Run the gateway
`

const ENVIRONMENTS: Partial<Readonly<Record<CommandName, string>>> = {
  run: `
Environment:
  FLUXGATE_LOG         Least level that is logged: trace, debug, info, warn, error [default: trace]
  FLUXGATE_LOG_FORMAT  text, json, gcp [default: text]
  FLUXGATE_LOG_STYLE   Colour: auto, always, never [default: auto]
`,
  diff: `
Environment:
  FLUXGATE_DIFF_KEY  Gateway key (on the command line everybody on the machine could read it)
`,
}

export function helpText(command: CommandName): string {
  const { about, lines, options } = USAGES[command]
  const shown: [string, string][] = [
    ...options.map((option): [string, string] => [
      `    ${shownOption(option)}`,
      OWN_HELP[command]?.[option] ?? OPTION_HELP[option],
    ]),
    ['-h, --help', 'Print help'],
    ['-V, --version', 'Print version'],
  ]
  const width = Math.max(...shown.map(([spelling]) => spelling.length))
  const optionLines = shown.map(([spelling, meaning]) => {
    return `  ${spelling.padEnd(width)}  ${meaning.replaceAll('\n', `\n${' '.repeat(width + 4)}`)}\n`
  })
  const commands = command === 'run' ? COMMANDS : ''
  return `${about}\n\n${lines.join('\n')}\n${commands}\nOptions:\n${optionLines.join('')}${ENVIRONMENTS[command] ?? ''}`
}

/** `--config <CONFIG>`. */
export function shownOption(option: OptionName): string {
  const value = OPTION_VALUES[option]
  return value === undefined ? option : `${option} ${value}`
}

/** A mistake on the command line, as it is written to stderr. */
export function usageError(command: CommandName, problem: string): string {
  return `error: ${problem}\n\n${USAGES[command].lines[0]}\n\nFor more information, try '--help'.\n`
}
