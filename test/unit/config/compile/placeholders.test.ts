// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of the shell are what is tested
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { describe, test } from 'node:test'
import { placeholderFault } from '../../../../src/config/compile/placeholder.ts'
import { linesOf, load, loadInvalid, loadValid } from '../configuration-folder.ts'

const UNFILLED = 'is a placeholder that nothing fills in; write { env: OPENAI_API_KEY } in its place'
const NAMELESS = 'is a placeholder that nothing fills in; write { env: NAME } in its place'
const NO_KEY = 'is a placeholder and no key; put the key in its place, or write { env: NAME }'
const QUOTED = 'has quotes around it that are part of the key; remove them where it is set'
const BEARER = 'begins with Bearer, which is no part of a key; remove that word'
const EXAMPLE =
  'is the example of the documentation, which everybody knows; make one of your own, for instance with openssl rand -hex 24'

const faults: readonly (readonly [text: string, fault: string])[] = [
  ['${OPENAI_API_KEY}', UNFILLED],
  ['${OPENAI_API_KEY:-sk-none-0123456789}', UNFILLED],
  ['${ OPENAI_API_KEY }', UNFILLED],
  ['sk-${OPENAI_API_KEY}', UNFILLED],
  ['Bearer ${OPENAI_API_KEY}', UNFILLED],
  ['$OPENAI_API_KEY', NAMELESS],
  ['${secret of mine}', NAMELESS],
  ['$(cat /run/secrets/openai)', NAMELESS],
  ['%OPENAI_API_KEY%', UNFILLED],
  ['os.environ/OPENAI_API_KEY', UNFILLED],
  ['os.environ["OPENAI_API_KEY"]', UNFILLED],
  ['process.env.OPENAI_API_KEY', UNFILLED],
  ['{env.OPENAI_API_KEY}', UNFILLED],
  ['{{ .Values.key }}', NAMELESS],
  ['{{OPENAI_API_KEY}}', NAMELESS],
  ['<YOUR_API_KEY>', NO_KEY],
  ['<your key here>', NO_KEY],
  ['YOUR_API_KEY', NO_KEY],
  ['your-openai-api-key-here', NO_KEY],
  ['changeme', NO_KEY],
  ['sk-…', NO_KEY],
  ['sk-...', NO_KEY],
  ['"sk-abcdefghijklmnop"', QUOTED],
  ["'sk-abcdefghijklmnop'", QUOTED],
  ['“sk-abcdefghijklmnop”', QUOTED],
  ['Bearer sk-abcdefghijklmnop', BEARER],
  ['bearer sk-abcdefghijklmnop', BEARER],
  ['replace-this-by-a-long-random-key', EXAMPLE],
]

const keys = [
  'sk-proj-abc_DEF-123',
  'fgk_0123456789abcdef0123456789abcdef',
  '$2b$12$abcdefghijklmnopqrstuv',
  'pa$$word{with}braces<and>more',
  'a"quote\'within',
  'bearerless-0123456789',
  'your-company-0a9b8c7d6e5f4a3b2c1d',
  'unused',
  '{}',
  '}}{{',
  'fluxgate-demo-key',
]

const keyed = (key: string): string => `version: 1\napi_keys:\n  static:\n    - key: ${JSON.stringify(key)}\n`
const signing = (key: string): string =>
  `version: 1\napi_keys:\n  jwt:\n    - { id: a, key: ${JSON.stringify(key.padEnd(40))} }\n`
const provided = (key: string): string =>
  `version: 1\nserver: { allow_anonymous: true }\nupstreams:\n  a:\n    request_path: /a\n    target_url: http://a\n    api_key: ${JSON.stringify(key)}\n`

describe('a placeholder', () => {
  for (const [text, fault] of faults) {
    test(`${text}: no gateway key, no signing key, and a doubtful provider key`, (t) => {
      assert.deepEqual(linesOf(loadInvalid(t, keyed(text)).problems), [
        `fluxgate.yaml:4:7: api_keys.static[0].key: ${fault}`,
      ])
      assert.deepEqual(linesOf(loadInvalid(t, signing(text)).problems), [
        `fluxgate.yaml:4:16: api_keys.jwt[0].key: ${fault}`,
      ])
      const { warnings } = loadValid(t, provided(text))
      assert.deepEqual(linesOf(warnings), [`fluxgate.yaml:7:5: upstreams.a.api_key: ${fault}`])
      assert.ok(!fault.includes(text), 'it is not repeated')
    })
  }

  test('is found wherever the key comes from', (t) => {
    const around = { env: { OPENAI_API_KEY: '"sk-abcdefghijklmnop"' }, files: { key: '${OPENAI_API_KEY}\n' } }
    const text = `version: 1\napi_keys:\n  static:\n    - key: { env: OPENAI_API_KEY }\n    - key: { file: key }\n`
    assert.deepEqual(linesOf(loadInvalid(t, text, around).problems), [
      `fluxgate.yaml:4:7: api_keys.static[0].key: ${QUOTED}`,
      `fluxgate.yaml:5:7: api_keys.static[1].key: ${UNFILLED}`,
    ])
  })

  test('of the documentation is known by its digest as well', (t) => {
    const digest = hash('sha256', 'replace-this-by-a-long-random-key', 'hex').toUpperCase()
    const { problems } = loadInvalid(t, `version: 1\napi_keys: { static: [{ key_sha256: ${digest} }] }\n`)
    assert.deepEqual(linesOf(problems), [`fluxgate.yaml:2:24: api_keys.static[0].key_sha256: ${EXAMPLE}`])
  })

  test('is told from a key', (t) => {
    for (const key of keys) {
      assert.equal(placeholderFault(key), undefined, key)
      assert.ok(load(t, keyed(key)).ok, key)
    }
  })

  test('takes no time to be told from anything', () => {
    for (const part of ['${', '{{', '}', '$(', 'your-', '<', '"', 'x', '{env.', 'os.environ/']) {
      const start = process.cpuUsage()
      placeholderFault(part.repeat(16_384 / part.length))
      const { user } = process.cpuUsage(start)
      assert.ok(user < 100_000, `${part}: ${user} µs`)
    }
  })
})

describe('a gateway key', () => {
  const weak = 'has fewer than 16 characters and could be guessed'
  for (const [key, isWeak] of [
    ['a', true],
    ['123456789abcdef', true],
    ['0123456789abcdef', false],
    ['schlüssel-€-😀-567', false],
    ['😀'.repeat(15), true],
    ['😀'.repeat(16), false],
  ] as const) {
    test(`of ${[...key].length} characters is ${isWeak ? 'doubtful' : 'fine'}: ${key}`, (t) => {
      const lines = linesOf(loadValid(t, keyed(key)).warnings)
      assert.equal(lines.length, isWeak ? 1 : 0)
      if (isWeak) assert.ok(lines[0]!.startsWith(`fluxgate.yaml:4:7: api_keys.static[0].key: ${weak}`))
    })
  }

  test('that opens nothing in particular opens everything, which is doubtful', (t) => {
    const text = `${provided('unused').replace('server: { allow_anonymous: true }\n', '')}api_keys:\n  static:\n`
    const { warnings } = loadValid(t, `${text}    - { id: x, key: fgk_0123456789abcdef, upstreams: [] }\n`)
    assert.deepEqual(linesOf(warnings), [
      'fluxgate.yaml:9:43: api_keys.static[0].upstreams: is empty, so that the key opens every upstream; name some, or remove it',
    ])
  })
})
