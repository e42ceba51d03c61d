import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { memberNames, nestingDepth } from '../../../src/access/json-members.ts'

describe('the names of the top level', () => {
  for (const [json, names] of [
    ['{}', []],
    [' \t\r\n{ } ', []],
    ['{"a":1}', ['a']],
    ['{"a":1,"a":2}', ['a', 'a']],
    ['{"a":1,"\\u0061":2}', ['a', 'a']],
    ['{"\\"a\\\\":1, "":2}', ['"a\\', '']],
    ['{"a":{"b":1,"c":{"d":2}},"e":3}', ['a', 'e']],
    ['{"a":[{"b":1},"c","d"],"e":"f"}', ['a', 'e']],
    ['{"a":"{\\"b\\":1,","c":",\\"d\\":"}', ['a', 'c']],
    ['{"__proto__":1,"constructor":2}', ['__proto__', 'constructor']],
    ['{"\\ud83d":1,"\ud83d\ude00":2}', ['\ud83d', '\ud83d\ude00']],
    ['{"a"\n:\n1\n,\n"b"\n:\n2}', ['a', 'b']],
  ] as const) {
    test(JSON.stringify(json), () => assert.deepEqual(memberNames(json), names))
  }

  test('are those that JSON.parse finds, in any object', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()), fc.nat(2), (object, indent) => {
        const names = memberNames(JSON.stringify(object, undefined, indent))
        assert.deepEqual(new Set(names), new Set(Object.keys(object)))
        assert.equal(names.length, Object.keys(object).length)
      }),
    )
  })
})

describe('how deep brackets nest', () => {
  for (const [json, depth] of [
    ['1', 0],
    ['"[[["', 0],
    ['"\\"[[["', 0],
    ['{}', 1],
    ['[[],[[]],[]]', 3],
    ['{"a":[{"b":"[\\\\"},[1]]}', 3],
    ['['.repeat(50_000), 50_000],
    [']]][', 0],
  ] as const) {
    test(json.slice(0, 30), () => assert.equal(nestingDepth(json), depth))
  }
})
