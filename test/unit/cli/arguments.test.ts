import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Command, parseArguments } from '../../../src/cli/arguments.ts'
import type { OptionName } from '../../../src/cli/usage.ts'

function usageError(problem: string, usage = 'Usage: fluxgate [OPTIONS]'): Command {
  return { name: 'usage-error', text: `error: ${problem}\n\n${usage}\n\nFor more information, try '--help'.\n` }
}

function diff(given: Partial<Record<OptionName, string[]>>): Command {
  return { name: 'diff', given: new Map(Object.entries(given) as [OptionName, string[]][]) }
}

const run = (configPath: string, requiresConfiguration = false, bindAddress?: string, pidFile?: string): Command => ({
  name: 'run',
  configPath,
  requiresConfiguration,
  bindAddress,
  pidFile,
})
const RUN: Command = run('fluxgate.yaml')
const VALUE_MISSING = "a value is required for '--config <CONFIG>' but none was supplied"
const TWICE = "the argument '--config <CONFIG>' cannot be used multiple times"
const CHECK = 'Usage: fluxgate check [OPTIONS]'
const DEMO = 'Usage: fluxgate demo [OPTIONS]'
const DIFF = 'Usage: fluxgate diff --upstream <NAME> [OPTIONS]'
const KEY_TIP =
  "\n\n  tip: a key on the command line can be read by everybody on the machine; 'diff' takes it from FLUXGATE_DIFF_KEY"
const TOKEN = 'Usage: fluxgate token [OPTIONS]'
const HASH_KEY = 'Usage: fluxgate hash-key'

const TABLE: readonly (readonly [commandLine: string, command: Command])[] = [
  ['', RUN],
  ['--config a.yaml', run('a.yaml')],
  ['--config=a.yaml', run('a.yaml')],
  ['--config=a=b.yaml', run('a=b.yaml')],
  ['--config -', run('-')],
  ['--config=-a.yaml', run('-a.yaml')],
  ['--config demo', run('demo')],
  ['--require-configuration', run('fluxgate.yaml', true)],
  ['--pid-file /run/fluxgate.pid', run('fluxgate.yaml', false, undefined, '/run/fluxgate.pid')],
  ['--config a.yaml --require-configuration', run('a.yaml', true)],
  ['--bind-address [::1]:0', run('fluxgate.yaml', false, '[::1]:0')],
  ['--bind-address=unix:/run/x.sock --config a.yaml', run('a.yaml', false, 'unix:/run/x.sock')],
  ['--bind-address', usageError("a value is required for '--bind-address <ADDRESS>' but none was supplied")],
  ['--bind-address 127.0.0.1:1 check', usageError("unexpected argument '--bind-address' found", CHECK)],
  ['--bind-address 127.0.0.1:1 demo', { name: 'demo', bindAddress: '127.0.0.1:1', speaksTls: false }],
  ['check', { name: 'check', configPath: 'fluxgate.yaml' }],
  ['check --config a.yaml', { name: 'check', configPath: 'a.yaml' }],
  ['--config a.yaml check', { name: 'check', configPath: 'a.yaml' }],
  ['demo', { name: 'demo', bindAddress: '127.0.0.1:8080', speaksTls: false }],
  ['demo --bind-address [::1]:0', { name: 'demo', bindAddress: '[::1]:0', speaksTls: false }],
  ['demo --bind-address=127.0.0.1:9', { name: 'demo', bindAddress: '127.0.0.1:9', speaksTls: false }],
  ['demo --tls', { name: 'demo', bindAddress: '127.0.0.1:8080', speaksTls: true }],
  ['diff', diff({})],
  ['diff --direct', diff({ '--direct': [] })],
  ['--config=a.yaml diff --upstream b', diff({ '--config': ['a.yaml'], '--upstream': ['b'] })],
  [
    'diff --upstream=a --header X:1 --strict --header=Y:2 --body -',
    diff({ '--upstream': ['a'], '--header': ['X:1', 'Y:2'], '--strict': [], '--body': ['-'] }),
  ],
  ['hash-key', { name: 'hash-key' }],
  ['token', { name: 'token', given: new Map() }],
  ['token --check -', { name: 'token', given: new Map([['--check', ['-']]]) }],
  [
    '--config a.yaml token --id b --audience=c --audience d',
    {
      name: 'token',
      given: new Map([
        ['--config', ['a.yaml']],
        ['--id', ['b']],
        ['--audience', ['c', 'd']],
      ]),
    },
  ],

  ['-h', { name: 'help', about: 'run' }],
  ['--help', { name: 'help', about: 'run' }],
  ['-hV', { name: 'help', about: 'run' }],
  ['--config a.yaml --help', { name: 'help', about: 'run' }],
  ['--help --nonsense', { name: 'help', about: 'run' }],
  ['check --help', { name: 'help', about: 'check' }],
  ['demo -h', { name: 'help', about: 'demo' }],
  ['diff --direct --help', { name: 'help', about: 'diff' }],
  ['-V', { name: 'version' }],
  ['--version', { name: 'version' }],
  ['-Vh', { name: 'version' }],
  ['hash-key --version', { name: 'version' }],

  ['--x', usageError("unexpected argument '--x' found")],
  ['--x=1', usageError("unexpected argument '--x' found")],
  ['-x', usageError("unexpected argument '-x' found")],
  ['-xh', usageError("unexpected argument '-x' found")],
  ['--', usageError("unexpected argument '--' found")],
  ['-', usageError("unexpected argument '-' found")],
  ['serve', usageError("unexpected argument 'serve' found\n\n  tip: 'fluxgate' without a command runs the gateway")],
  ['chek', usageError("unexpected argument 'chek' found\n\n  tip: did you mean 'check'?")],
  ['hashkey', usageError("unexpected argument 'hashkey' found\n\n  tip: did you mean 'hash-key'?")],
  ['hepl', usageError("unexpected argument 'hepl' found\n\n  tip: did you mean 'help'?")],
  ['toString', usageError("unexpected argument 'toString' found")],
  ['a.yaml', usageError("unexpected argument 'a.yaml' found\n\n  tip: a file is named with '--config'")],
  ['check a.yml', usageError("unexpected argument 'a.yml' found\n\n  tip: a file is named with '--config'", CHECK)],
  ['--Config a.yaml', usageError("unexpected argument '--Config' found\n\n  tip: did you mean '--config'?")],
  ['--confg=a.yaml', usageError("unexpected argument '--confg' found\n\n  tip: did you mean '--config'?")],
  ['-config a.yaml', usageError("unexpected argument '-c' found\n\n  tip: did you mean '--config'?")],
  ['--bind-adress a', usageError("unexpected argument '--bind-adress' found\n\n  tip: did you mean '--bind-address'?")],
  [
    'demo --bind-adress a',
    usageError("unexpected argument '--bind-adress' found\n\n  tip: did you mean '--bind-address'?", DEMO),
  ],
  ['help', { name: 'help', about: 'run' }],
  ['help check', { name: 'help', about: 'check' }],
  ['help hash-key', { name: 'help', about: 'hash-key' }],
  ['help help', { name: 'help', about: 'run' }],
  ['help chek', usageError("unexpected argument 'chek' found\n\n  tip: did you mean 'check'?")],
  [
    'help serve',
    usageError("unexpected argument 'serve' found\n\n  tip: 'fluxgate' without a command runs the gateway"),
  ],
  ['--config a.yaml help', { name: 'help', about: 'run' }],
  ['version', { name: 'version' }],
  ['check version', usageError("unexpected argument 'version' found", CHECK)],
  ['--nonsense --help', usageError("unexpected argument '--nonsense' found")],
  ['--help=x', usageError("unexpected value 'x' for '--help' found; no more were expected")],
  ['--version=', usageError("unexpected value '' for '--version' found; no more were expected")],
  ['--config', usageError(VALUE_MISSING)],
  ['--config=', usageError(VALUE_MISSING)],
  ['--config --help', usageError(VALUE_MISSING)],
  ['--config -h', usageError(VALUE_MISSING)],
  ['--config a --config b', usageError(TWICE)],
  ['check --config', usageError(VALUE_MISSING, CHECK)],
  ['--config a check --config b', usageError(TWICE, CHECK)],
  ['check demo', usageError("unexpected argument 'demo' found", CHECK)],
  ['demo --config a', usageError("unexpected argument '--config' found", DEMO)],
  ['--config a demo', usageError("unexpected argument '--config' found", DEMO)],
  ['demo --bind-address', usageError("a value is required for '--bind-address <ADDRESS>' but none was supplied", DEMO)],
  ['diff --direct --direct', usageError("the argument '--direct' cannot be used multiple times", DIFF)],
  ['diff --direct=yes', usageError("unexpected value 'yes' for '--direct' found; no more were expected", DIFF)],
  ['diff --header', usageError("a value is required for '--header <LINE>' but none was supplied", DIFF)],
  ['diff --path --strict', usageError("a value is required for '--path <PATH>' but none was supplied", DIFF)],
  ['diff --bind-address a', usageError("unexpected argument '--bind-address' found", DIFF)],
  ['diff --key a', usageError(`unexpected argument '--key' found${KEY_TIP}`, DIFF)],
  ['diff --key=a', usageError(`unexpected argument '--key' found${KEY_TIP}`, DIFF)],
  ['run', usageError("unexpected argument 'run' found\n\n  tip: 'fluxgate' without a command runs the gateway")],
  ['constructor', usageError("unexpected argument 'constructor' found")],
  ['token --expires', usageError("a value is required for '--expires <TIME>' but none was supplied", TOKEN)],
  ['token eyJ', usageError("unexpected argument 'eyJ' found", TOKEN)],
  ['hash-key secret', usageError("unexpected argument 'secret' found", HASH_KEY)],
  ['hash-key --config a', usageError("unexpected argument '--config' found", HASH_KEY)],
]

describe('the command line', () => {
  for (const [commandLine, command] of TABLE) {
    test(`fluxgate ${commandLine}`, () => {
      assert.deepEqual(parseArguments(commandLine === '' ? [] : commandLine.split(' ')), command)
    })
  }

  test('an empty argument is no value', () => {
    assert.deepEqual(parseArguments(['--config', '']), usageError(VALUE_MISSING))
  })
})
