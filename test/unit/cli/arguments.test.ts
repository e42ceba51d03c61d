import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Command, parseArguments } from '../../../src/cli/arguments.ts'

function usageError(problem: string, usage = 'Usage: fluxgate [OPTIONS]'): Command {
  return { name: 'usage-error', text: `error: ${problem}\n\n${usage}\n\nFor more information, try '--help'.\n` }
}

const RUN: Command = { name: 'run', configPath: 'fluxgate.yaml' }
const VALUE_MISSING = "a value is required for '--config <CONFIG>' but none was supplied"
const TWICE = "the argument '--config <CONFIG>' cannot be used multiple times"
const CHECK = 'Usage: fluxgate check [OPTIONS]'
const DEMO = 'Usage: fluxgate demo [OPTIONS]'
const HASH_KEY = 'Usage: fluxgate hash-key'

const TABLE: readonly (readonly [commandLine: string, command: Command])[] = [
  ['', RUN],
  ['--config a.yaml', { name: 'run', configPath: 'a.yaml' }],
  ['--config=a.yaml', { name: 'run', configPath: 'a.yaml' }],
  ['--config=a=b.yaml', { name: 'run', configPath: 'a=b.yaml' }],
  ['--config -', { name: 'run', configPath: '-' }],
  ['--config=-a.yaml', { name: 'run', configPath: '-a.yaml' }],
  ['--config demo', { name: 'run', configPath: 'demo' }],
  ['check', { name: 'check', configPath: 'fluxgate.yaml' }],
  ['check --config a.yaml', { name: 'check', configPath: 'a.yaml' }],
  ['--config a.yaml check', { name: 'check', configPath: 'a.yaml' }],
  ['demo', { name: 'demo', bindAddress: '127.0.0.1:8080' }],
  ['demo --bind-address [::1]:0', { name: 'demo', bindAddress: '[::1]:0' }],
  ['demo --bind-address=127.0.0.1:9', { name: 'demo', bindAddress: '127.0.0.1:9' }],
  ['hash-key', { name: 'hash-key' }],

  ['-h', { name: 'help', about: 'run' }],
  ['--help', { name: 'help', about: 'run' }],
  ['-hV', { name: 'help', about: 'run' }],
  ['--config a.yaml --help', { name: 'help', about: 'run' }],
  ['--help --nonsense', { name: 'help', about: 'run' }],
  ['check --help', { name: 'help', about: 'check' }],
  ['demo -h', { name: 'help', about: 'demo' }],
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
  ['serve', usageError("unexpected argument 'serve' found")],
  ['--Config a.yaml', usageError("unexpected argument '--Config' found")],
  ['--nonsense --help', usageError("unexpected argument '--nonsense' found")],
  ['--bind-address a', usageError("unexpected argument '--bind-address' found")],
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
