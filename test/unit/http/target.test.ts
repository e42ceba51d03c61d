import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parseTarget } from '../../../src/http/target.ts'

const TARGETS: readonly (readonly [target: string, path: string, query: string, authority: string | undefined])[] = [
  ['/', '/', '', undefined],
  ['/a//b/', '/a//b/', '', undefined],
  ['/a?b', '/a', '?b', undefined],
  ['/?', '/', '?', undefined],
  ['/a?b?c=/../d', '/a', '?b?c=/../d', undefined],
  ['//b/c', '//b/c', '', undefined],
  ['/http://b/c', '/http://b/c', '', undefined],
  ['/a%2Fb%00', '/a%2Fb%00', '', undefined],
  ['http://a', '/', '', 'a'],
  ['http://a/', '/', '', 'a'],
  ['https://a:1/b?c', '/b', '?c', 'a:1'],
  ['HTTP://A?c', '/', '?c', 'A'],
  ['http://[::1]:80/x', '/x', '', '[::1]:80'],
  ['http://a//b', '//b', '', 'a'],
  ['http://a\\b/c', '/c', '', 'a\\b'],
]

describe('a target that is understood', () => {
  for (const [target, path, query, authority] of TARGETS) {
    test(target, () => {
      assert.deepEqual(parseTarget(target), { pathAndQuery: path + query, pathLength: path.length, authority })
    })
  }
})

const REFUSED = [
  '*',
  'a',
  'a:80',
  '?a',
  'http:/a',
  'http:a',
  'http://',
  'http:///a',
  'http://?a',
  'http://a@b/',
  'ws://a/',
]
const UNCLEAN = ['/#', '/a#b', '/a b', '/\t', '/\x7f', '/\x80', '/é', '/\0', '/\r', '/\n', 'http://a#b', 'http://a/#']

describe('a target that is refused', () => {
  for (const target of [...REFUSED, ...UNCLEAN])
    test(JSON.stringify(target), () => assert.equal(parseTarget(target), 'bad_target'))
})

/** What a careless reader may make of a path: one decoding, backslashes as slashes, matrix parameters dropped. */
function segmentsOf(path: string): string[] {
  const decoded = path.replace(/%(2e|2f|5c)/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return decoded.split(/[/\\]/).map((segment) => segment.replace(/;.*$/s, ''))
}

test('a path is refused exactly where a reader may find a dot segment', () => {
  const piece = fc.constantFrom('.', '%2e', '%2E', '/', '%2f', '%5C', '\\', ';', 'a', '%3b', '%25', '?')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const target = `/${pieces.join('')}`
      const path = target.split('?', 1)[0]!
      const isDangerous = segmentsOf(path).some((segment) => segment === '.' || segment === '..')
      assert.equal(parseTarget(target) === 'bad_target', isDangerous)
    }),
    { numRuns: 2_000 },
  )
})
