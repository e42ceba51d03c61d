import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createMask, maskFieldLine, show } from '../../../../src/tools/diff/mask.ts'

const mask = createMask(['sk-Secret/1', 'sk-Secret', '', 'ключ'])

describe('a secret is not shown', () => {
  for (const [text, shown] of [
    ['a sk-Secret/1 b', 'a *** b'],
    ['sk-Secretsk-Secret/1', '***'],
    ['in any case: SK-SECRET/1.', 'in any case: ***.'],
    ['encoded: sk-Secret%2F1.', 'encoded: ***.'],
    [`as UTF-8: ${Buffer.from('ключ').toString('latin1')}`, 'as UTF-8: ***'],
    ['in JSON: sk-Secret\\/1.', 'in JSON: ***.'],
    ['as text: ключ, İ ключ', 'as text: ***, \\u{130} ***'],
    ['nothing of the kind', 'nothing of the kind'],
  ] as const) {
    test(text, () => assert.equal(show(mask(text)), shown))
  }

  test('nor a part of it, where what is shown begins or ends within it', () => {
    const text = `${'x'.repeat(200)}sk-Secret${'y'.repeat(300)}`
    for (let at = 100; at < 400; at++) {
      const shown = show(mask(text), at)
      assert.doesNotMatch(shown, /[sk\-Secret]/)
    }
  })
})

describe('of a field line', () => {
  for (const [line, shown] of [
    ['Authorization: Bearer abc', 'Authorization: Bearer ***'],
    ['authorization:abc', 'authorization:***'],
    ['X-Api-Key:  abc', 'X-Api-Key:  ***'],
    ['X-Api-Key: abc\rdef', 'X-Api-Key: ***'],
    ['api-key: abc', 'api-key: ***'],
    ['x-goog-api-key: abc', 'x-goog-api-key: ***'],
    ['x-fluxgate-key: abc', 'x-fluxgate-key: ***'],
    ['Proxy-Authorization: Basic abc', 'Proxy-Authorization: Basic ***'],
    ['Set-Cookie: __cf_bm=abc; path=/; HttpOnly', 'Set-Cookie: __cf_bm=***; path=/; HttpOnly'],
    ['Cookie: a=b; c=d', 'Cookie: a=***; c=***'],
    ['Set-Cookie: odd', 'Set-Cookie: odd'],
    ['X-Other: a=b', 'X-Other: a=b'],
  ] as const) {
    test(`${line} is shown: ${shown}`, () => assert.equal(show(maskFieldLine(line)), shown))
  }
})

describe('a text is shown', () => {
  test('without a byte that a terminal would act on', () => {
    assert.equal(show('\x1b[31mred\r\n\t\x7f\x00\xe9'), '\\x1b[31mred\\r\\n\\t\\x7f\\x00\\xe9')
  })

  test('around the place in question', () => {
    const text = Array.from({ length: 100 }, (_, index) => String(index).padStart(4, '.')).join('')
    assert.equal(show(text, 200), `…${text.slice(160, 270)}…`)
    assert.equal(show(text, 390), `…${text.slice(350)}`)
    assert.equal(show(text, 3), `${text.slice(0, 110)}…`)
    assert.equal(show('short', 5), 'short')
  })
})
