import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createRouteTable } from '../../../src/config/route-table.ts'
import type { Upstream } from '../../../src/config/snapshot.ts'

/** All that a table looks at. */
function upstream(prefix: string): Upstream {
  return { name: prefix, prefix } as Upstream
}

function find(prefixes: readonly string[], path: string): string | undefined {
  return createRouteTable(prefixes.map(upstream)).find(path)?.name
}

test('segments, not characters', () => {
  for (const path of ['/openai', '/openai/', '/openai//', '/openai/v1/x', '/openai/../x']) {
    assert.equal(find(['/openai'], path), '/openai', path)
  }
  for (const path of ['/openai-evil', '/openaix', '/OpenAI', '/open', '/', '', 'openai', '/x/openai', '/openai%2Fv1']) {
    assert.equal(find(['/openai'], path), undefined, path)
  }
})

test('the longest match wins, in any order', () => {
  for (const prefixes of [
    ['', '/a', '/a/b', '/a/b/c'],
    ['/a/b/c', '/a/b', '/a', ''],
  ]) {
    assert.equal(find(prefixes, '/a/b/c/d'), '/a/b/c')
    assert.equal(find(prefixes, '/a/b/cd'), '/a/b')
    assert.equal(find(prefixes, '/a/'), '/a')
    assert.equal(find(prefixes, '/b'), '')
    assert.equal(find(prefixes, '/'), '')
  }
})

test('an empty table finds nothing', () => assert.equal(find([], '/'), undefined))

test('finds what a scan over all upstreams finds', () => {
  const segment = fc.constantFrom('a', 'b', 'ab', '', 'a-b', '%61')
  const prefix = fc.array(segment, { maxLength: 4 }).map((parts) =>
    parts
      .map((part) => `/${part}`)
      .join('')
      .replace(/\/+$/, ''),
  )
  const path = fc.array(segment, { maxLength: 6 }).map((parts) => `/${parts.join('/')}`)
  fc.assert(
    fc.property(fc.uniqueArray(prefix, { maxLength: 12 }), path, (prefixes, path) => {
      let longest: string | undefined
      for (const candidate of prefixes) {
        const matches = path === candidate || path.startsWith(`${candidate}/`)
        if (matches && (longest === undefined || candidate.length > longest.length)) longest = candidate
      }
      assert.equal(find(prefixes, path), longest)
    }),
    { numRuns: 2000 },
  )
})
