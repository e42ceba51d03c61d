/** Where secrets come from, what they may be made of, and that nothing ever repeats one. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { check } from '../../../../src/cli/check.ts'
import { formatProblem, loadConfiguration } from '../../../../src/config/load.ts'
import { createFolder, linesOf, loadInvalid, loadValid, type Surroundings } from '../configuration-folder.ts'

const OPEN = 'version: 1\nupstreams:\n  a:\n    request_path: /a\n    target_url: http://a\n'

function apiKeyOf(loaded: ReturnType<typeof loadValid>): string | undefined {
  return loaded.configuration.upstreams[0]?.apiKey
}

test('a secret is text, a variable or a file', (t) => {
  const around: Surroundings = { env: { PROVIDER_KEY: 'from-env' }, files: { key: 'from-file' } }
  assert.equal(apiKeyOf(loadValid(t, `${OPEN}    api_key: from-text\n`, around)), 'from-text')
  assert.equal(apiKeyOf(loadValid(t, `${OPEN}    api_key: { env: PROVIDER_KEY }\n`, around)), 'from-env')
  assert.equal(apiKeyOf(loadValid(t, `${OPEN}    api_key: { file: key }\n`, around)), 'from-file')
  assert.equal(apiKeyOf(loadValid(t, OPEN, around)), undefined)
})

test('a path is relative to the folder of the configuration, or absolute', (t) => {
  const folder = createFolder(t)
  folder.write('key', 'from-file')
  for (const path of ['key', './key', `../${folder.path.split('/').at(-1)}/key`, `${folder.path}/key`]) {
    const loaded = loadConfiguration(folder.write('fluxgate.yaml', `${OPEN}    api_key: { file: "${path}" }\n`), {})
    assert.ok(loaded.ok, path)
    assert.equal(apiKeyOf(loaded), 'from-file')
  }
})

test('one line break at the end of a file or variable is dropped', (t) => {
  for (const ending of ['', '\n', '\r\n']) {
    const around: Surroundings = { env: { KEY: `abc${ending}` }, files: { key: `abc${ending}` } }
    assert.equal(apiKeyOf(loadValid(t, `${OPEN}    api_key: { env: KEY }\n`, around)), 'abc')
    assert.equal(apiKeyOf(loadValid(t, `${OPEN}    api_key: { file: key }\n`, around)), 'abc')
  }
})

/** Each of them would write into a request's head, or never compare equal. */
test('what cannot be a field value is refused, wherever it comes from', (t) => {
  for (const [secret, text] of [
    ['abc\n\n', 'must not hold line breaks or other control characters'],
    ['abc\r\nX-Evil: 1', 'must not hold line breaks or other control characters'],
    ['abc\rdef', 'must not hold line breaks or other control characters'],
    ['a\tb', 'must not hold line breaks or other control characters'],
    ['a\x7fb', 'must not hold line breaks or other control characters'],
    [' abc', 'must not begin or end with a blank'],
    ['abc ', 'must not begin or end with a blank'],
    ['\ufeffabc', 'must not begin with a byte order mark'],
    ['a'.repeat(16 * 1024 + 1), 'must not be longer than 16 KiB'],
  ] as const) {
    for (const [source, around] of [
      [JSON.stringify(secret).replace('\x7f', '\\x7f'), {}],
      ['{ env: KEY }', { env: { KEY: secret } }],
      ['{ file: key }', { files: { key: secret } }],
    ] as const) {
      const { problems } = loadInvalid(t, `${OPEN}    api_key: ${source}\n`, around)
      assert.deepEqual(linesOf(problems), [`fluxgate.yaml:6:5: upstreams.a.api_key: ${text}`], JSON.stringify(secret))
    }
  }
})

test('bytes that are no text are refused', (t) => {
  const { problems } = loadInvalid(t, `${OPEN}    api_key: { file: key }\n`, {
    files: { key: Buffer.from([0x61, 0xff]) },
  })
  assert.deepEqual(linesOf(problems), ['fluxgate.yaml:6:5: upstreams.a.api_key: must be UTF-8 text'])
})

test('half a character is refused', (t) => {
  const { problems } = loadInvalid(t, `${OPEN}    api_key: "a\\ud800"\n`)
  assert.deepEqual(linesOf(problems), [
    'fluxgate.yaml:6:5: upstreams.a.api_key: holds half a character (a lone surrogate)',
  ])
})

test('a secret file that is far too large is not read', (t) => {
  const { error } = loadInvalid(t, `${OPEN}    api_key: { file: key }\n`, { files: { key: 'a'.repeat(1 << 20) } })
  assert.match(error, /upstreams\.a\.api_key: takes a file that is larger than 16 KiB/)
})

test('blanks within a key and characters beyond ASCII are legal', (t) => {
  for (const key of ['a b', 'schlüssel', '🔑'])
    assert.equal(
      Buffer.from(apiKeyOf(loadValid(t, `${OPEN}    api_key: "${key}"\n`)) ?? '', 'latin1').toString('utf8'),
      key,
      'one character for each byte',
    )
})

test('a key of jwt may be any bytes, of a file without its last line break', (t) => {
  const bytes = Buffer.from(Array.from({ length: 64 }, (_, i) => (i * 37) & 0xff))
  const loaded = loadValid(t, 'version: 1\napi_keys: { jwt: [{ id: a, key: { file: key } }] }\n', {
    files: { key: Buffer.concat([bytes, Buffer.from('\n')]) },
  })
  assert.deepEqual(Buffer.from(loaded.configuration.keys.jwtKeys.get('a')!.secret), bytes)
})

test('static keys are kept as digests only', (t) => {
  const loaded = loadValid(t, 'version: 1\napi_keys: { static: [{ key: "geheim-ä" }] }\n')
  assert.equal(loaded.settings.staticKeys.digests, createHash('sha256').update('geheim-ä').digest('hex'))
  assert.ok(!JSON.stringify(loaded.settings).includes('geheim'))
})

/** Places for a secret S in files that are wrong in every way that we could think of. */
const TEMPLATES: readonly ((quoted: string, plain: string) => string)[] = [
  (s) => `version: 1\napi_keys:\n  static:\n    - key: ${s}\n    - key: ${s}\n`,
  (s) => `version: 1\napi_keys:\n  jwt:\n    - id: a\n      key: ${s}\n    - id: a\n`,
  (s) => `version: 1\napi_keys: ${s}\n`,
  (s) => `version: 1\napi_keys:\n  static: ${s}\n`,
  (s) => `version: 1\napi_keys:\n  static: [${s}, [${s}]]\n`,
  (s) => `version: 1\napi_keys:\n  static: { ${s}: 1 }\n  ${s}: 2\n`,
  (s) => `version: 1\napi_keys:\n  static: [{ ${s}: 1, key_sha256: ${s} }]\n`,
  (s) => `version: 1\napi_keys:\n  static: [{ key: { ${s}: 1 } }, { key: { env: ${s} } }, { key: { file: ${s} } }]\n`,
  (s) => `version: 1\napi_keys:\n  static: [{ key: a, upstreams: [${s}] }, { key: b, upstreams: ${s} }]\n`,
  (s) => `${OPEN}    api_key: ["${s}"]\n    credential: ${s}\n    protocol: ${s}\n    websocket: ${s}\n`,
  (s) => `${OPEN}    api_key: ${s}\n    tls: { ca: ${s}, key: ${s} }\n`,
  (_, p) => `${OPEN}    api_key: *${p}\n`,
  (_, p) => `${OPEN}    api_key: !${p}\n`,
  (_, p) => `${OPEN}    api_key: !!${p} x\n`,
  (_, p) => `${OPEN}    api_key: "\\${p}\n`,
  (_, p) => `${OPEN}    api_key: @${p}\n`,
  (_, p) => `${OPEN}    api_key: ${p}: ${p}\n`,
  (_, p) => `${OPEN}    api_key: { ${p}\n`,
  (_, p) => `${OPEN}    api_key: [${p}] ${p}\n`,
  (_, p) => `${OPEN}    api_key: |${p}\n`,
  (_, p) => `${OPEN}    api_key: &${p} &${p} x\n`,
  (_, p) => `${OPEN}    api_key: x\n    api_key: ${p}\n`,
  (_, p) => `${OPEN}    api_key: a\x01${p}\n`,
  (_, p) => `%${p}\n---\n%${p}\nversion: 1\n--- ${p}\n`,
  (_, p) => `version: 1\nupstreams: { a: { request_path: ${p}, target_url: "https://u:${p}@a/?${p}" } }\n`,
  (_, p) => `version: ${p}\nserver: { max_connections: ${p}, head_timeout_ms: ${p}, tls: ${p} }\n`,
  (_, p) => `${p}\n`,
]

test('no message ever holds a secret', (t) => {
  const folder = createFolder(t)
  const characters = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789'
  const secret = fc
    .string({ unit: fc.constantFrom(...characters), minLength: 8, maxLength: 40 })
    .map((text) => `sk-${text}`)
  fc.assert(
    fc.property(secret, fc.constantFrom(...TEMPLATES), fc.constantFrom('', '\\n', ' '), (secret, template, tail) => {
      const path = folder.write('fluxgate.yaml', template(`"${secret}${tail}"`, secret))
      const said: string[] = []
      const loaded = loadConfiguration(path, { KEY: secret })
      if (!loaded.ok) said.push(loaded.error, ...loaded.problems.map(formatProblem))
      said.push(...loaded.warnings.map(formatProblem))
      check(path, (line) => said.push(line), { KEY: secret })
      const text = said.join('\n')
      // A part that is long enough to help somebody is as bad as the whole.
      assert.ok(!text.includes(secret.slice(3, 11)), text)
    }),
    { numRuns: 600 },
  )
})

test('every template is a file that is refused or warned about', (t) => {
  for (const [index, template] of TEMPLATES.entries()) {
    const folder = createFolder(t)
    const loaded = loadConfiguration(folder.write('fluxgate.yaml', template('"sk-abcdefgh"', 'sk-abcdefgh')), {})
    assert.ok(!loaded.ok || loaded.warnings.length > 0, `template ${index}`)
  }
})
