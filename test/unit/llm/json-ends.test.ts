import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { beginningOf, endingOf, firstElements, lastElements } from '../../../src/llm/document.ts'

/** Objects in which the name that is looked for stands everywhere: as a name at any depth, in texts, behind backslashes. */
const text = fc.oneof(
  fc.string({ unit: fc.constantFrom('"', '\\', '{', '}', '[', ']', ',', ':', 'u', '😀', '\n') }),
  fc.constantFrom('usage', '"usage":{"a":1}', '\\', '"}', '\\"'),
)
const name = fc.oneof({ weight: 2, arbitrary: fc.constant('usage') }, fc.constantFrom('a', 'b', 'c'), text)
const { value } = fc.letrec<{ value: unknown; object: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, true, 12, -0.5),
    text,
    fc.array(tie('value'), { maxLength: 3 }),
    tie('object'),
  ),
  object: fc.dictionary(name, tie('value'), { maxKeys: 4 }),
}))
const object = fc.dictionary(name, value, { minKeys: 1, maxKeys: 5 })
const indent = fc.constantFrom(undefined, 1, '\t')

describe('a JSON text of which an end is at hand', () => {
  test('says what stands at its top, or nothing', () => {
    fc.assert(
      fc.property(object, indent, (whole, space) => {
        const bytes = Buffer.from(JSON.stringify(whole, undefined, space))
        const truth = JSON.parse(bytes.toString()).usage
        for (let cut = 0; cut <= bytes.length; cut++) {
          for (const document of [endingOf(bytes, cut, bytes.length), beginningOf(bytes, 0, cut)]) {
            const found = document.get('usage')
            if (found !== undefined) assert.deepEqual(found, truth, `cut at ${cut}`)
          }
        }
        assert.deepEqual(endingOf(bytes, 0, bytes.length).get('usage'), truth)
      }),
    )
  })

  test('says it as soon as it is there', () => {
    const bytes = Buffer.from('{"a":"\\\\\\"","usage":{"n":[1,{"usage":2}]},"z":"x"}')
    const from = bytes.indexOf('"usage"')
    const to = bytes.indexOf('},"z"') + 1
    for (let cut = 0; cut < bytes.length; cut++) {
      const ending = endingOf(bytes, cut, bytes.length).get('usage')
      assert.equal(ending !== undefined, cut < from, `ends, cut at ${cut}`)
      assert.equal(beginningOf(bytes, 0, cut).get('usage') !== undefined, cut >= to, `begins, cut at ${cut}`)
    }
  })

  test('knows the elements of an array that are whole', () => {
    const list = [{ a: '}' }, { a: '"]' }, { a: [{ a: 1 }] }]
    const bytes = Buffer.from(JSON.stringify(list, undefined, 1))
    for (let cut = 0; cut <= bytes.length; cut++) {
      const before = firstElements(bytes, 0, cut).filter(({ isWhole }) => isWhole)
      const behind = lastElements(bytes, cut, bytes.length).filter(({ isWhole }) => isWhole)
      assert.deepEqual(
        before.map((one) => one.get('a')),
        list.slice(0, before.length).map(({ a }) => a),
      )
      assert.deepEqual(
        behind.reverse().map((one) => one.get('a')),
        list.slice(list.length - behind.length).map(({ a }) => a),
      )
    }
  })
})
