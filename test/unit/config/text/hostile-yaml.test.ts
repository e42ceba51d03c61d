/** Files that are odd but fine, and files that are not: refused with a place, and never with a crash or a long wait. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { loadConfiguration } from '../../../../src/config/load.ts'
import { createFolder, linesOf, loadInvalid, loadValid } from '../configuration-folder.ts'
import { oddCharacter } from './odd-character.ts'

const UPSTREAM = 'upstreams:\n  openai:\n    request_path: /openai\n    target_url: https://api.openai.com\n'

const FINE: Readonly<Record<string, string>> = {
  'a byte order mark': `\ufeffversion: 1\n`,
  CRLF: `version: 1\r\n${UPSTREAM.replaceAll('\n', '\r\n')}`,
  'document markers': '---\nversion: 1\n...\n',
  'a directive': '%YAML 1.2\n---\nversion: 1\n',
  'no line break at the end': 'version: 1',
  JSON: '{"version": 1, "server": {"max_connections": 5}}',
  'an integer in hex': 'version: 0x1\n',
  'a core tag': 'version: !!int "1"\n',
  'an alias': `version: 1\nserver: { head_timeout_ms: &t 5000, body_timeout_ms: *t }\n`,
  'an alias as a key': `version: 1\nx: &name openai\n`,
}

for (const [title, text] of Object.entries(FINE)) {
  test(`${title} is fine`, (t) => void loadValid(t, text))
}

test('comments only: the version is missing', (t) => {
  const { cause, problems } = loadInvalid(t, '# nothing\r\n\r\n# yet\r\n')
  assert.equal(cause, 'validation')
  assert.deepEqual(linesOf(problems), ['fluxgate.yaml:1:1: version: is missing; must be the integer 1'])
})

test('an empty file: the version is missing', (t) => {
  assert.equal(loadInvalid(t, '').cause, 'validation')
})

test('a byte order mark and CRLF do not move the places', (t) => {
  const { problems } = loadInvalid(t, '\ufeffversion: 2\r\nserver:\r\n  max_connections: 0\r\n')
  assert.deepEqual(
    problems.map(({ line, column }) => [line, column]),
    [
      [1, 1],
      [3, 3],
    ],
  )
})

const MALFORMED: Readonly<Record<string, { text: string; line: string }>> = {
  'a key twice': {
    text: 'version: 1\nserver:\n  max_connections: 1\n  max_connections: 2\n',
    line: '4:3: this key stands twice in one mapping (first at 3:3)',
  },
  'a key twice, once in quotes': {
    text: 'version: 1\nupstreams: { 1: {}, "1": {} }\n',
    line: '2:21: this key stands twice in one mapping (first at 2:14)',
  },
  'a key twice, out of reach of the schema': {
    text: 'version: 1\nx: { y: [{ a: 1, a: 2 }] }\n',
    line: '2:18: this key stands twice in one mapping (first at 2:12)',
  },
  'two merge keys': {
    text: 'version: 1\nx: &x {}\nserver:\n  <<: *x\n  <<: *x\n',
    line: '5:3: this key stands twice in one mapping (first at 4:3)',
  },
  'a key twice, far apart': {
    text: 'version: 1\nupstreams:\n  a:\n    x: 1\n    y: { z: [1, 2] }\n\n# a\n  a: {}\n',
    line: '8:3: this key stands twice in one mapping (first at 3:3)',
  },
  'a key twice, behind an alias of its name': {
    text: 'version: 1\n&k server: {}\n*k : {}\n',
    line: '3:1: this key stands twice in one mapping (first at 2:4)',
  },
  'a merge of something else': {
    text: 'version: 1\nserver:\n  <<: 3\n',
    line: '3:3: a merge key (<<) takes a mapping or a list of mappings',
  },
  'a second document': {
    text: 'version: 1\n---\nversion: 1\n',
    line: '2:1: a second document starts here; the file must hold one',
  },
  'a second document after an end marker': {
    text: 'version: 1\n...\n---\nversion: 1\n',
    line: '3:1: a second document starts here; the file must hold one',
  },
  'an alias without anchor': {
    text: 'version: 1\nserver: { bind_address: *x }\n',
    line: '2:25: this alias (*name) has no anchor (&name) before it; put the value in quotes if it is none',
  },
  'an alias in itself': {
    text: 'version: 1\nserver: &a { x: *a }\n',
    line: '2:17: this alias stands within its own anchor',
  },
  'a merge of itself': {
    text: 'version: 1\nserver: &a { <<: *a }\n',
    line: '2:18: this alias stands within its own anchor',
  },
  'a tag': {
    text: 'version: 1\nx: !vault abc\n',
    line: '2:4: tags (a word that starts with !) are not supported; put the value in quotes if it is none',
  },
  'a list as a key': { text: 'version: 1\n? [a]\n: b\n', line: '2:3: a key must be text' },
  'a tab as indentation': {
    text: 'version: 1\nserver:\n\tmax_connections: 1\n',
    line: '3:1: a tab is used as indentation; YAML wants blanks',
  },
  'an open quote': { text: 'version: 1\nserver: "x\n', line: '2:9: a quote opens here that is not closed' },
  'a value with a colon': {
    text: 'version: 1\nx:\n  key: a: b\n',
    line: '3:8: a mapping or list cannot start here; put a value with a colon in quotes',
  },
  'a reserved character': {
    text: 'version: 1\nx: @a\n',
    line: '2:4: a value cannot start with this character unless it is in quotes',
  },
  'an escape that is none': {
    text: 'version: 1\nx: "\\q"\n',
    line: '2:5: an escape in double quotes is not valid; use single quotes to write a backslash as it is',
  },
  'odd indentation': {
    text: 'version: 1\nserver:\n  a: 1\n b: 2\n',
    line: '4:1: the indentation does not fit the lines above, or a bracket is not closed',
  },
  'a control character': {
    text: 'version: 1\nx: a\x00b\n',
    line: '2:5: a control character stands here; remove it or write it as an escape in double quotes',
  },
}

for (const [title, { text, line }] of Object.entries(MALFORMED)) {
  test(`${title} is refused`, (t) => {
    const { cause, problems, error } = loadInvalid(t, text)
    assert.equal(cause, 'parse')
    assert.equal(linesOf(problems)[0], `fluxgate.yaml:${line}`)
    assert.doesNotMatch(error, /\n/)
  })
}

test('a line that is not UTF-8 is refused', (t) => {
  const text = Buffer.concat([Buffer.from('version: 1\n# é\nx: '), Buffer.from([0xc3, 0x28]), Buffer.from('\n')])
  const { cause, problems } = loadInvalid(t, text)
  assert.equal(cause, 'parse')
  assert.deepEqual(linesOf(problems), ['fluxgate.yaml:3:1: this line is not valid UTF-8'])
})

test('UTF-16 is refused by its name', (t) => {
  const { problems } = loadInvalid(t, Buffer.from('\ufeffversion: 1\n', 'utf16le'))
  assert.deepEqual(linesOf(problems), ['fluxgate.yaml:1:1: is UTF-16; it must be saved as UTF-8'])
})

/** An innocent file is as deep as the schema; ten levels of ten aliases are ten thousand million values. */
test('an alias bomb is refused at once', (t) => {
  const level = (n: number) =>
    `l${n}: &l${n} [${Array(10)
      .fill(`*l${n - 1}`)
      .join(', ')}]\n`
  const text = `version: 1\nl0: &l0 lol\n${Array.from({ length: 10 }, (_, i) => level(i + 1)).join('')}`
  const before = process.threadCpuUsage()
  const { cause, problems } = loadInvalid(t, text)
  assert.equal(cause, 'parse')
  assert.match(linesOf(problems).join(), /aliases expand to far more than the file holds/)
  const { user, system } = process.threadCpuUsage(before)
  assert.ok(user + system < 1_000_000, `${user + system} µs`)
})

test('a bomb of merge keys is refused', (t) => {
  const keys = Array.from({ length: 2000 }, (_, i) => `k${i}: 1`).join(', ')
  const text = `version: 1\nbase: &base { ${keys} }\nx:\n${'  - <<: *base\n'.repeat(100)}`
  assert.match(loadInvalid(t, text).error, /aliases expand to far more than the file holds/)
})

test('a thousand upstreams that share an alias and a merge key are fine', (t) => {
  const upstream = (n: number) => `  u${n}: { <<: *base, request_path: /u${n} }\n` // The merged path is overridden.
  const keys = Array.from({ length: 200 }, (_, i) => `  - { key: k${i}, upstreams: *names }\n`).join('')
  const text = `version: 1\nupstreams:\n  first: &base { request_path: /first, target_url: "http://a", api_key: fake }\n${Array.from(
    { length: 1000 },
    (_, i) => upstream(i),
  ).join('')}x: &names [first, u1, u2, u3]\napi_keys:\n  static:\n${keys}`
  const { configuration } = loadValid(t, text)
  assert.equal(configuration.upstreams.length, 1001)
  assert.equal(configuration.keys.staticKeys.size, 200)
})

test('nesting without end is refused', (t) => {
  for (const opening of ['[', '{a: ', '- ', '? ']) {
    const { cause } = loadInvalid(t, `version: 1\nx: ${opening === '- ' ? '\n' : ''}${opening.repeat(5000)}`)
    assert.equal(cause, 'parse', opening)
  }
})

test('merge keys: the mapping itself goes first, then the sources in their order', (t) => {
  const { configuration } = loadValid(
    t,
    'version: 1\na: &a { head_timeout_ms: 1, body_timeout_ms: 1 }\nb: &b { body_timeout_ms: 2, keep_alive_timeout_ms: 2 }\nserver:\n  keep_alive_timeout_ms: 3\n  <<: [*a, *b]\n',
  )
  assert.equal(configuration.server.headTimeoutMs, 1)
  assert.equal(configuration.server.bodyTimeoutMs, 1)
  assert.equal(configuration.server.keepAliveTimeoutMs, 3)
})

test('a merge key in quotes is a key like any other', (t) => {
  const { warnings } = loadValid(t, 'version: 1\nserver: { "<<": 1 }\n')
  assert.deepEqual(
    warnings.map(({ path, column }) => [path, column]),
    [['server', 11]],
  )
})

test('what was merged in is reported where it stands', (t) => {
  const { problems } = loadInvalid(
    t,
    `version: 1\nx: &x\n  target_url: ftp://a\nupstreams:\n  a:\n    <<: *x\n    request_path: /a\n`,
  )
  assert.deepEqual(linesOf(problems), [
    'fluxgate.yaml:3:3: upstreams.a.target_url: must be an absolute URL that starts with https:// or http://',
  ])
})

test('an anchor can be set again: an alias means the last one before it', (t) => {
  const { configuration } = loadValid(
    t,
    'version: 1\nx: &t 1\nserver: { head_timeout_ms: *t }\ny: &t 2\nupstreams: { connect_timeout_ms: *t, a: { request_path: /a, target_url: "http://a" } }\n',
  )
  assert.equal(configuration.server.headTimeoutMs, 1)
  assert.equal(configuration.upstreams[0]?.connectTimeoutMs, 2)
})

test('names of upstreams are taken as they are written', (t) => {
  const { configuration } = loadValid(
    t,
    'version: 1\nupstreams:\n  1.0: { request_path: /a, target_url: "http://a" }\n  on: { request_path: /b, target_url: "http://b" }\n  0x10: { request_path: /c, target_url: "http://c" }\n',
  )
  assert.deepEqual(configuration.upstreams.map(({ name }) => name).sort(), ['0x10', '1.0', 'on'])
})

/** Whatever stands in the file, the answer is a result with places, and nothing is thrown. */
test('no text makes it throw', (t) => {
  const folder = createFolder(t)
  const fragment = fc.constantFrom(
    ...[
      'version: 1',
      'server:',
      'upstreams:',
      'api_keys:',
      'static:',
      '- key: a',
      'openai: {',
      '}',
      '[',
      ']',
      ',',
      ': ',
    ],
    ...[
      '\n',
      '\n  ',
      '\n    ',
      '\t',
      '"',
      "'",
      '&a ',
      '*a',
      '<<: *a',
      '!x ',
      '!!str ',
      '|',
      '>',
      '# c',
      '---',
      '...',
      '%',
      '? ',
    ],
    ...['null', '~', '\ufeff', '\u2028', '\\', '{env: A}', '{ file: "" }', 'x'],
  )
  fc.assert(
    fc.property(
      fc.array(fc.oneof({ weight: 5, arbitrary: fragment }, fc.string({ unit: oddCharacter })), { maxLength: 40 }),
      (parts) => {
        const loaded = loadConfiguration(folder.write('fluxgate.yaml', parts.join('')), {})
        assert.ok(loaded.ok || loaded.problems.length > 0)
      },
    ),
    { numRuns: 200 },
  )
})
