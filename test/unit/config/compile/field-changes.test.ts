/** What an operator may do to fields, and which field may carry a key. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { linesOf, load } from '../configuration-folder.ts'

const UPSTREAM =
  'version: 1\nupstreams:\n  a:\n    request_path: /a\n    target_url: https://a.example\n    api_key: k-unused\n'
const OWN_BUSINESS =
  'names a field that the gateway answers for itself (framing, Host, connection fields, x-fluxgate-key)'
const CREDENTIAL = 'names a field that carries keys; see credential and keep_fields'
const NO_NAME = 'must be the name of a field, such as X-Request-Source'
const NO_PATTERN = `${NO_NAME}; a * may stand at its end, for any rest`
const VALUE = 'must be text (in quotes if it looks like a number), { env: NAME } or { file: PATH }'
const PLACES =
  'must be one of swap, bearer, x-api-key, api-key, x-goog-api-key, pass, or { field: NAME } with or without scheme: TEXT, such as { field: Authorization, scheme: Token }'

const rules: Readonly<Record<string, readonly [line: string, ...problems: string[]]>> = {
  'fields may be removed by name and by pattern': [
    'remove_fields: [cf-*, Origin, x-forwarded-*, via, cookie, X-Request-Id, www-authenticate]',
  ],
  'no rule may take what the gateway answers for': [
    'remove_fields: [host, Content-Length, te, trailer, connection, keep-alive, upgrade, expect, proxy-authorization]',
    ...[0, 1, 2, 3, 4, 5, 6, 7, 8].map((i) => `remove_fields[${i}]: ${OWN_BUSINESS}`),
  ],
  'nor a credential': [
    'remove_fields: [authorization, X-API-Key]',
    `remove_fields[0]: ${CREDENTIAL}`,
    `remove_fields[1]: ${CREDENTIAL}`,
  ],
  'a pattern has one star, at its end': [
    'remove_fields: ["*", "*-a", "a*b*", "a b"]',
    ...[0, 1, 2, 3].map((i) => `remove_fields[${i}]: ${NO_PATTERN}`),
  ],
  'names are a list': ['remove_fields: cf-ray', 'remove_fields: must be a list of names of fields'],
  'fields may be set': ['set_fields: { OpenAI-Organization: org-1, X-Empty: "", x-request-id: a, apim-request-id: b }'],
  'but not these': [
    'set_fields: { Host: a, authorization: b, x y: c, transfer-encoding: d, x-fluxgate-key: e }',
    `set_fields.Host: ${OWN_BUSINESS}`,
    `set_fields.authorization: ${CREDENTIAL}`,
    `set_fields: ${NO_NAME}`,
    `set_fields.transfer-encoding: ${OWN_BUSINESS}`,
    `set_fields.x-fluxgate-key: ${OWN_BUSINESS}`,
  ],
  'what may be a value that has got into the name is not repeated': [
    'set_fields: { X-A:sk-secret, "X-B: sk-secret": a, sk-secret-0: 5, X-C: 5 }',
    `set_fields: ${VALUE}`,
    `set_fields: ${NO_NAME}`,
    `set_fields: ${NO_NAME}`,
    `set_fields: ${VALUE}`,
    `set_fields.X-C: ${VALUE}`,
  ],
  'and not twice': [
    'set_fields: { X-A: a, x-a: b }',
    'set_fields.x-a: stands here twice; the case of a name does not count',
  ],
  'nor to what would be another line': [
    'set_fields: { X-A: "a\\r\\nHost: b", X-B: 5 }',
    'set_fields.X-A: must not hold line breaks or other control characters',
    `set_fields.X-B: ${VALUE}`,
  ],
  'a value may be a secret, and is said to be missing': [
    'set_fields: { X-A: { env: NOT_SET } }',
    'set_fields.X-A: takes an environment variable that is not set: NOT_SET',
  ],
  'credential fields may be kept': ['keep_fields: [authorization, X-Api-Key]'],
  'others are kept anyway, and the gateway key never': [
    'keep_fields: [x-fluxgate-key, cookie]',
    ...[0, 1].map(
      (i) =>
        `keep_fields[${i}]: must be a field that carries keys and would be removed: Authorization, x-api-key, api-key or x-goog-api-key`,
    ),
  ],
  'a key may stand in any field': ['credential: { field: xi-api-key }'],
  'with a scheme': ['credential: { field: Authorization, scheme: Token }'],
  'or without': ['credential: { field: Authorization, scheme: "" }'],
  'but not in these': ['credential: { field: Host }', `credential.field: ${OWN_BUSINESS}`],
  'nor in no field': ['credential: { field: "a b" }', `credential.field: ${NO_NAME}`],
  'a credential is one of a few words, or a field': ['credential: token', `credential: ${PLACES}`],
  'with nothing else in it': ['credential: { field: a, name: b }', `credential: ${PLACES}`],
  'and a scheme that is one': [
    'credential: { field: a, scheme: "a b" }',
    'credential.scheme: must be one word, such as Token, or empty',
  ],
}

for (const [title, [line, ...problems]] of Object.entries(rules)) {
  test(title, (t) => {
    const loaded = load(t, `${UPSTREAM}    ${line}\n`)
    const told = linesOf(loaded.ok ? [] : loaded.problems).map((each) => each.replace(/^[^ ]+ upstreams\.a\.?/, ''))
    assert.deepEqual(told, problems)
  })
}

test("a field of the operator's choice for the key cannot be removed or set beside it", (t) => {
  const more =
    '    credential: { field: Xi-Api-Key }\n    remove_fields: [xi-api-key]\n    set_fields: { xi-api-key: a }\n'
  const loaded = load(t, UPSTREAM + more)
  assert.deepEqual(
    linesOf(loaded.ok ? [] : loaded.problems).map((line) => line.split(' ').slice(2).join(' ')),
    [CREDENTIAL, CREDENTIAL],
  )
})

test('credential: pass keeps all, and says so', (t) => {
  const text = UPSTREAM.replace('    api_key: k-unused\n', '    credential: pass\n    keep_fields: [api-key]\n')
  const loaded = load(t, text)
  assert.match(linesOf(loaded.ok ? [] : loaded.problems).join(), /keep_fields: has no meaning beside credential: pass/)
})

const ORIGIN =
  'must be an origin as browsers send it: scheme, host and port in lower case, such as https://app.example, without a path or a slash at the end'

for (const [origins, ...problems] of [
  ['["*"]'],
  ['[https://app.example, "http://localhost:5173", chrome-extension://abc, "http://[::1]:8080"]'],
  ['[]', 'allow_origins: must name an origin, or * for all'],
  ['["*", https://a.example]', 'allow_origins: holds *, which stands for all: leave out the others'],
  ['[https://*.example]', 'allow_origins[0]: must be an exact origin; a * is understood alone only'],
  ['[https://a.example/]', `allow_origins[0]: ${ORIGIN}`],
  ['[https://A.example]', `allow_origins[0]: ${ORIGIN}`],
  ['[a.example]', `allow_origins[0]: ${ORIGIN}`],
  ['["null"]', `allow_origins[0]: ${ORIGIN}`],
  [
    '["https://a.example:443"]',
    "allow_origins[0]: must be written without the scheme's default port, as browsers send it",
  ],
] as const) {
  test(`allow_origins: ${origins}`, (t) => {
    const loaded = load(t, `version: 1\nserver:\n  cors: { allow_origins: ${origins} }\n`)
    const told = linesOf(loaded.ok ? [] : loaded.problems).map((each) => each.replace(/^[^ ]+ server\.cors\./, ''))
    assert.deepEqual(told, problems)
  })
}
