import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FIELD } from '../../../src/http/fields.ts'
import {
  addConnectionOptions,
  type ConnectionOptions,
  listMembers,
  parseContentLength,
  parseFieldSection,
  withNominated,
} from '../../../src/http1/field-section.ts'

describe('a field section', () => {
  test('lists the lines of interest, with their places in the text', () => {
    const text = '..A: 1\r\nHost: \t a b\t \r\nB:2\r\nconnection:\r\n\r\nrest'
    const section = parseFieldSection(text, 2)
    const found = section.lines.map((line) => [
      line.field,
      text.slice(line.start, line.next),
      text.slice(line.valueStart, line.valueEnd),
    ])
    assert.deepEqual(found, [
      [FIELD.host, 'Host: \t a b\t \r\n', 'a b'],
      [FIELD.connection, 'connection:\r\n', ''],
    ])
    assert.equal(section.count, 4)
    assert.equal(text.slice(section.end), 'rest')
  })

  test('may be empty', () =>
    assert.deepEqual(parseFieldSection('\r\n', 0), { lines: [], count: 0, end: 2, cause: undefined }))

  for (const wrong of [
    '',
    'A',
    'A:',
    'A: 1',
    'A: 1\r',
    'A: 1\r\n',
    'A: 1\r\n\r',
    'A: 1\n\r\n',
    'A 1\r\n\r\n',
    '\r\r\n',
    '\rA',
  ])
    test(`${JSON.stringify(wrong)} is none`, () => assert.equal(parseFieldSection(wrong, 0).end, -1))
})

describe('the members of a list', () => {
  for (const [value, members] of [
    ['', []],
    [' , ,\t,', []],
    ['a', ['a']],
    ['A,b ,\tC', ['a', 'b', 'c']],
    ['a;b=1, "c"', ['a;b=1', '"c"']],
  ] as const) {
    test(JSON.stringify(value), () => assert.deepEqual(listMembers(value), members))
  }
})

describe('a length', () => {
  for (const [text, length] of [
    ['0', 0],
    ['00', 0],
    ['42', 42],
    ['007', 7],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    [`${'0'.repeat(9_000)}1`, 1],
  ] as const) {
    test(text.slice(0, 30), () => assert.equal(parseContentLength(text), length))
  }
  for (const text of [
    '',
    ' 1',
    '1 ',
    '+1',
    '-1',
    '1.0',
    '1e3',
    '0x1',
    '1_0',
    '1,1',
    '１',
    '9007199254740992',
    '9'.repeat(400),
  ])
    test(`${JSON.stringify(text.slice(0, 30))} is none`, () => assert.equal(parseContentLength(text), undefined))
})

function optionsOf(...values: string[]): ConnectionOptions {
  const options = { hasClose: false, hasUpgrade: false, nominatesProtected: false, nominated: undefined }
  for (const value of values) addConnectionOptions(options, value)
  return options
}

describe('Connection', () => {
  for (const [values, expected] of [
    [['keep-alive'], {}],
    [['Keep-Alive'], {}],
    [['KEEP-alive, TE'], {}],
    [[''], {}],
    [['close'], { hasClose: true }],
    [['keep-alive', 'Close'], { hasClose: true }],
    [['Upgrade, close'], { hasUpgrade: true, hasClose: true }],
    [['x-close'], { nominated: new Set(['x-close']) }],
    [['X-A, x-b', 'x-c'], { nominated: new Set(['x-a', 'x-b', 'x-c']) }],
    [['HOST'], { nominatesProtected: true }],
    [['close, Transfer-Encoding'], { nominatesProtected: true, hasClose: true }],
  ] as const) {
    test(values.join(' | '), () => assert.deepEqual(optionsOf(...values), { ...optionsOf(), ...expected }))
  }
})

test('nominated lines join the lines of interest in their order', () => {
  const text = 'X-B: 1\r\nHost: a\r\nx-b:  2 \r\nX-C: 3\r\nX-BB: 4\r\nTE: x\r\nX-b: 5\r\n\r\n'
  const lines = withNominated(text, 0, parseFieldSection(text, 0).lines, new Set(['x-b', 'x-absent']))
  assert.deepEqual(
    lines.map((line) => [line.field, text.slice(line.start, line.next), text.slice(line.valueStart, line.valueEnd)]),
    [
      [FIELD.nominated, 'X-B: 1\r\n', '1'],
      [FIELD.host, 'Host: a\r\n', 'a'],
      [FIELD.nominated, 'x-b:  2 \r\n', '2'],
      [FIELD.te, 'TE: x\r\n', 'x'],
      [FIELD.nominated, 'X-b: 5\r\n', '5'],
    ],
  )
})
