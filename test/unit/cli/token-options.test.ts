import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readTokenOptions } from '../../../src/cli/token-options.ts'
import type { OptionName } from '../../../src/cli/usage.ts'

const NOW = 1_800_000_000.5

function read(given: Partial<Record<OptionName, string>>): ReturnType<typeof readTokenOptions> {
  return readTokenOptions(new Map(Object.entries(given).map(([name, value]) => [name as OptionName, [value]])), NOW)
}

function expires(given: Partial<Record<OptionName, string>>): number | string {
  const options = read(given)
  return typeof options === 'string' ? options : options.wish.expires
}

describe('when a token ends', () => {
  for (const [text, seconds] of [
    ['30s', 1_800_000_030],
    ['30m', 1_800_001_800],
    ['8h', 1_800_028_800],
    ['1d', 1_800_086_400],
    ['2w', 1_801_209_600],
    ['1h30m', 1_800_005_400],
    ['0s', 1_800_000_000],
    ['-5m', 1_799_999_700],
    ['2030-01-31', 1_896_048_000],
    ['2030-01-31T12:00Z', 1_896_091_200],
    ['2030-01-31T12:00:00+01:00', 1_896_087_600],
    ['1970-01-01', 0],
    ['9999-12-31T23:59:59Z', 253_402_300_799],
    ['never', Number.POSITIVE_INFINITY],
  ] as const) {
    test(text, () => assert.equal(expires({ '--expires': text }), seconds))
  }

  for (const text of [
    ...['8', 'h', '8H', '8 h', '1.5h', '--5m', '8h-', 'Never', '', 'now'],
    ...[
      '2030-02-40',
      '2030-13-01',
      '2030-01-31 12:00',
      '2030-01-31T12:00:00',
      '10000-01-01',
      '1969-12-31',
      '-9999999999s',
    ],
    ...['999999999w', '1'.repeat(10).concat('s')],
  ]) {
    test(`is not told by ${JSON.stringify(text)}`, () => {
      assert.equal(
        expires({ '--expires': text }),
        `invalid value '${text}' for '--expires <TIME>': must be a span from now such as 30m, 8h or 7d, or a time such as 2030-01-31T12:00:00Z, or never`,
      )
    })
  }

  test('is an hour after its beginning where nothing is said', () => {
    assert.equal(expires({}), 1_800_003_600)
    assert.equal(expires({ '--not-before': '2h' }), 1_800_010_800)
  })

  test('is never before its beginning', () => {
    for (const end of ['1h', '2h', '2000-01-01'])
      assert.equal(expires({ '--not-before': '2h', '--expires': end }), 'the token would end before it begins')
    assert.equal(expires({ '--not-before': '2h', '--expires': 'never' }), Number.POSITIVE_INFINITY)
  })
})

test('a beginning must be a time', () => {
  assert.match(
    String(read({ '--not-before': 'never' })),
    /^invalid value 'never' for '--not-before <TIME>': must be a span/,
  )
  assert.match(String(read({ '--not-before': 'x', '--expires': 'y' })), /--not-before/)
})

test('what is made and what is checked do not mix', () => {
  assert.equal(
    read({ '--check': '-', '--subject': 'a' }),
    "the argument '--subject <TEXT>' cannot be used with '--check'",
  )
  const options = read({ '--check': '-', '--config': 'a.yaml' })
  assert.ok(typeof options !== 'string')
  assert.deepEqual([options.check, options.configPath], ['-', 'a.yaml'])
})
