import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseArguments } from '../../../src/cli/arguments.ts'
import { readDiffOptions } from '../../../src/cli/diff-options.ts'
import type { DiffOptions } from '../../../src/tools/diff/job.ts'

function read(...args: string[]): DiffOptions | string {
  const command = parseArguments(['diff', ...args])
  assert.ok(command.name === 'diff', JSON.stringify(command))
  return readDiffOptions(command.given)
}

const NOTHING: DiffOptions = {
  isDirect: false,
  isStrict: false,
  configPath: 'fluxgate.yaml',
  upstream: undefined,
  gateway: undefined,
  gatewayCa: undefined,
  keyFile: undefined,
  hasRequest: false,
  method: undefined,
  path: undefined,
  lines: [],
  bodyFile: undefined,
}

describe('the options of diff', () => {
  test('with a provider', () => {
    assert.deepEqual(read('--upstream', 'a', '--strict'), { ...NOTHING, upstream: 'a', isStrict: true })
  })

  test('without one', () => assert.deepEqual(read('--direct'), { ...NOTHING, isDirect: true }))

  test('and a request of one’s own', () => {
    const request = ['--method', 'PUT', '--path', '/x?y', '--header', 'X: 1', '--header', 'YY:']
    assert.deepEqual(read('--direct', ...request, '--body', 'b.json'), {
      ...NOTHING,
      isDirect: true,
      hasRequest: true,
      method: 'PUT',
      path: '/x?y',
      lines: ['X: 1', 'YY:'],
      bodyFile: 'b.json',
    })
  })

  test('with a gateway somewhere', () => {
    const options = read('--upstream', 'a', '--gateway', 'https://gw.test/llm/', '--key-file', '-')
    assert.ok(typeof options === 'object')
    assert.deepEqual(options.gateway, {
      scheme: 'https',
      host: 'gw.test',
      port: 443,
      authority: 'gw.test',
      basePath: '/llm',
    })
    assert.equal(options.keyFile, '-')
  })
})

const UP = ['--upstream', 'a']

describe('a mistake in the options of diff', () => {
  for (const [args, problem] of [
    [[], 'the following required arguments were not provided:\n  --upstream <NAME>'],
    [['--direct', '--strict'], "the argument '--strict' cannot be used with '--direct'"],
    [['--direct', '--config', 'a'], "the argument '--config <CONFIG>' needs '--upstream <NAME>' beside it"],
    [['--direct', '--gateway', 'http://a'], "the argument '--gateway <URL>' needs '--upstream <NAME>' beside it"],
    [['--direct', '--key-file', 'a'], "the argument '--key-file <FILE>' needs '--upstream <NAME>' beside it"],
    [[...UP, '--key-file', '-', '--body', '-'], /^the argument '--key-file <FILE>' cannot be stdin/],
    [
      [...UP, '--gateway', '127.0.0.1:8080'],
      /^invalid value '127.0.0.1:8080' for '--gateway <URL>': must be an absolute/,
    ],
    [[...UP, '--method', 'GET x'], "invalid value 'GET x' for '--method <METHOD>': is no method"],
    [[...UP, '--path', 'v1'], /^invalid value 'v1' for '--path <PATH>': must start with \//],
    [[...UP, '--path', '/a b'], /^invalid value '\/a b' for '--path <PATH>'/],
    [[...UP, '--path', '/a#b'], /^invalid value '\/a#b' for '--path <PATH>'/],
    [[...UP, '--path', '/é'], /^invalid value '\/é' for '--path <PATH>'/],
  ] as const) {
    test(args.join(' '), () => {
      const said = read(...args)
      assert.ok(typeof said === 'string')
      if (typeof problem === 'string') assert.equal(said, problem)
      else assert.match(said, problem)
    })
  }

  for (const line of ['no colon', 'X y: secret', 'X: a\r\nY: secret', 'X: secret\x00', ': secret', 'É: secret']) {
    test(`in the field line ${JSON.stringify(line)}, which is not repeated`, () => {
      assert.equal(
        read(...UP, '--header', line),
        "invalid value for '--header <LINE>': must be 'Name: value', on one line",
      )
    })
  }
})
