import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { identityOf, type Source } from '../../../../src/config/source.ts'
import {
  type Changes,
  changedFiles,
  changesBetween,
  NO_CHANGES,
  namedFiles,
} from '../../../../src/config/watch/changes.ts'
import { loadValid } from '../configuration-folder.ts'

const UPSTREAMS = `
  a: { request_path: /a, target_url: "http://a", api_key: provider-a }
  b: { request_path: /b, target_url: "http://b", api_key: provider-b }`

interface Parts {
  readonly upstreams?: string
  /** Entries of `api_keys.static`, one a line. */
  readonly keys?: readonly string[]
  readonly jwt?: readonly string[]
}

const TEAM = '{ id: team, key: fgk_team_0123456789 }'
const OTHER = '{ id: other, key: fgk_other_0123456789, upstreams: [a] }'
const FIRST = '{ key: fgk_first_0123456789 }'
const SECOND = '{ key: fgk_second_0123456789 }'
const PORTAL = '{ id: team, key: 0123456789abcdef0123456789abcdef }'

function settings(t: TestContext, { upstreams = UPSTREAMS, keys = [TEAM], jwt = [] }: Parts) {
  const list = (entries: readonly string[]): string => entries.map((entry) => `\n    - ${entry}`).join('')
  const text = `version: 1\nupstreams:${upstreams}\napi_keys:\n  static:${list(keys)}\n  jwt:${list(jwt)}\n`
  return loadValid(t, text).settings
}

const NOTHING: Changes = NO_CHANGES

const table: Readonly<Record<string, readonly [before: Parts, after: Parts, changes: Partial<Changes>]>> = {
  'the same': [{ keys: [TEAM, FIRST], jwt: [PORTAL] }, { keys: [TEAM, FIRST], jwt: [PORTAL] }, {}],
  'a key added': [{}, { keys: [TEAM, OTHER] }, { keysAdded: 'other' }],
  'a key removed': [{ keys: [TEAM, OTHER] }, {}, { keysRemoved: 'other' }],
  'a key with another value': [{}, { keys: ['{ id: team, key: fgk_rotated_0123456789 }'] }, { keysChanged: 'team' }],
  'a key that opens something else': [
    { keys: [OTHER] },
    { keys: [OTHER.replace('[a]', '[a, b]')] },
    { keysChanged: 'other' },
  ],
  'a key of the same value under another name': [
    {},
    { keys: [TEAM.replace('team', 'squad')] },
    { keysAdded: 'squad', keysRemoved: 'team' },
  ],
  'a nameless key moves up': [{ keys: [TEAM, FIRST, SECOND] }, { keys: [TEAM, SECOND] }, { keysRemoved: 'static[1]' }],
  'a nameless key gets another value': [{ keys: [FIRST] }, { keys: [SECOND] }, { keysChanged: 'static[0]' }],
  'a key and a signing key of one name': [{ jwt: [PORTAL] }, {}, { keysRemoved: 'team' }],
  'a signing key with another value': [{ jwt: [PORTAL] }, { jwt: [PORTAL.replace('0', 'x')] }, { keysChanged: 'team' }],
  'all keys away': [{ keys: [TEAM, FIRST] }, { keys: [] }, { keysRemoved: 'static[1], team', losesKeys: true }],
  'all upstreams away': [{}, { upstreams: '' }, { upstreamsRemoved: 'a, b', losesUpstreams: true }],
  'an upstream with another key': [
    {},
    { upstreams: UPSTREAMS.replace('provider-b', 'provider-c') },
    { upstreamsChanged: 'b' },
  ],
  'upstreams in another order': [
    { keys: [OTHER.replace('[a]', '[a, b]')] },
    { keys: [OTHER.replace('[a]', '[a, b]')], upstreams: `\n${UPSTREAMS.slice(1).split('\n').reverse().join('\n')}` },
    {},
  ],
  'an upstream of another name': [
    {},
    { upstreams: UPSTREAMS.replace('  b:', '  c:') },
    { upstreamsAdded: 'c', upstreamsRemoved: 'b' },
  ],
}

describe('what a reload changes:', () => {
  for (const [what, [before, after, changes]] of Object.entries(table)) {
    test(what, (t) => {
      const seen = changesBetween(settings(t, before), settings(t, after))
      const sorted = seen.keysRemoved?.split(', ').sort().join(', ')
      assert.deepEqual({ ...seen, ...(sorted !== undefined && { keysRemoved: sorted }) }, { ...NOTHING, ...changes })
      assert.doesNotMatch(JSON.stringify(seen), /fgk_|provider-|0123456789/, 'no value')
    })
  }

  test('many names are twenty and a number', (t) => {
    const keys = Array.from({ length: 5000 }, (_, n) => `{ id: k${n}, key: fgk_0123456789_${n} }`)
    const { keysAdded } = changesBetween(settings(t, { keys: [] }), settings(t, { keys }))
    assert.match(keysAdded!, /^k0, k1, .*, k19 and 4980 more$/)
  })
})

describe('changed files', () => {
  const source = (path: string, digest: string): Source => ({ path, limit: 1, digest, obstacle: undefined, stamp: '' })
  const before = identityOf([source('f.yaml', '0'), source('/k/a key', '1'), source('/k/b', '2')])

  test('are those that were named already and have another content, never the configuration itself', () => {
    const after = [source('f.yaml', '9'), source('/k/a key', '8'), source('/k/b', '2'), source('/k/new', '3')]
    assert.deepEqual(namedFiles(changedFiles(before, after), after), { filesChanged: '/k/a key' })
  })

  test('are none where none changed, or nothing is known of before', () => {
    for (const [was, file] of [
      [before, source('f.yaml', '9')],
      [undefined, source('f.yaml', '0')],
    ] as const) {
      const after = [file, source('/k/b', '2')]
      assert.deepEqual(namedFiles(changedFiles(was, after), after), {})
    }
  })
})
