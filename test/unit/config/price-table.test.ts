import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { judgePriceTable } from '../../../src/config/schema/price-table.ts'

const OWN = readFileSync(new URL('../../../config/prices.json', import.meta.url), 'utf8')

function withPattern(regex: string): string {
  const models = [['m', { regex }, { input_mtok: 1 }]]
  return JSON.stringify({ version: 'v', providers: [{ id: 'p', host: 'https://h', like: [], models }] })
}

test('the table that Fluxgate brings is right, and no beginning of it is', () => {
  assert.equal(typeof judgePriceTable(OWN), 'object')
  fc.assert(
    fc.property(fc.nat(OWN.trimEnd().length - 1), (length) => {
      assert.equal(judgePriceTable(OWN.slice(0, length)), 'is no JSON, or not all of it')
    }),
    { numRuns: 20 },
  )
})

test('patterns that a text could keep busy are refused', () => {
  for (const pattern of [
    '^gpt-\\d{4}-\\d{2}$',
    '[(]*a',
    '^(?!.*-tts(?:$|-))',
    'a+b*',
    '\\(*x',
    'https?://(?:a|b)(/|$)',
  ]) {
    assert.equal(typeof judgePriceTable(withPattern(pattern)), 'object', pattern)
  }
  const busy = ['(a|a)*', '(a+)+', '(?:a{1,50}){9}', 'a*a*a*', 'a{1,9}a{1,9}a{1,9}', '(.)\\1', '(?<x>a)\\k<x>']
  for (const pattern of [...busy, 'a?'.repeat(30), '(a|b|ab)'.repeat(9), 'a'.repeat(201), '(', 'a\u0000']) {
    assert.equal(typeof judgePriceTable(withPattern(pattern)), 'string', pattern)
  }
})

test('whatever stands in place of a part of it is refused in words, or right', () => {
  const table = JSON.parse(withPattern('^m')) as unknown
  /** The table with another value at the n-th place of all. */
  const changed = (place: number, value: unknown): string => {
    let at = 0
    return JSON.stringify(table, (_, present: unknown) => (at++ === place ? value : present))
  }
  fc.assert(
    fc.property(fc.nat(16), fc.jsonValue(), (place, value) => {
      const judged = judgePriceTable(changed(place, value))
      assert.ok(typeof judged === 'object' || /^(?:is|has|providers\[0\])/.test(judged), String(judged))
    }),
    { numRuns: 500 },
  )
  for (const name of ['__proto__', 'Input', '']) {
    const text = withPattern('^m').replace('input_mtok', name)
    assert.equal(judgePriceTable(text), 'providers[0].models[0]: has a price without a name')
  }
})
