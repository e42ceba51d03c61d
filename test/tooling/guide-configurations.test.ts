import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { formatProblem, loadSettings } from '../../src/config/load.ts'
import { CONFIGURATION_SCHEMA, server, upstream } from '../../src/config/schema/schema.ts'
import { shapeOf } from '../../src/config/schema/shape.ts'
import { CA, CLIENT_CERTIFICATE, CLIENT_CERTIFICATE_KEY } from '../support/certificates.ts'
import { blocksOf, GUIDE } from '../support/pages.ts'

// People copy configurations from the guide. Each of its YAML blocks that is one, or a part of one, must be valid today.

type Mapping = Readonly<Record<string, unknown>>

const FILE_KEYS = keysOf(CONFIGURATION_SCHEMA)
const UPSTREAM_KEYS = keysOf(upstream)
const SERVER_KEYS = keysOf(server)

function keysOf(schema: Parameters<typeof shapeOf>[0]): ReadonlySet<string> {
  const shape = shapeOf(schema)
  return new Set(shape.kind === 'mapping' ? Object.keys(shape.entries) : [])
}

const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The configuration files that a block stands for: none if it is another program's, several if it lists alternatives. */
function filesOf(text: string): string[] {
  const documents = parseAllDocuments(text, { merge: true })
  // One key written in several ways, a line each.
  if (documents.some(({ errors }) => errors.some(({ code }) => code === 'DUPLICATE_KEY'))) {
    return text.trim().split('\n').flatMap(filesOf)
  }
  return documents.flatMap((document) => {
    assert.deepEqual(document.errors, [])
    const value: unknown = document.toJS()
    return isMapping(value) ? filesOfValue(value, text) : []
  })
}

function filesOfValue(value: Mapping, text: string): string[] {
  const keys = Object.keys(value)
  if (keys.includes('version')) return [text]
  if (keys.includes('apiVersion')) {
    // A ConfigMap holds whole files.
    return isMapping(value.data) ? Object.values(value.data).flatMap((file) => filesOf(String(file))) : []
  }
  if (keys.some((key) => FILE_KEYS.has(key))) return [whole(value)]
  if (keys.every((key) => SERVER_KEYS.has(key) && !UPSTREAM_KEYS.has(key))) return [whole({ server: value })]
  if (keys.some((key) => UPSTREAM_KEYS.has(key))) return [whole({ upstreams: { it: { ...ANY_UPSTREAM, ...value } } })]
  const isUpstreams = Object.values(value).every((each) => isMapping(each) && 'request_path' in each)
  return isUpstreams ? [whole({ upstreams: value })] : []
}

const ANY_UPSTREAM = { request_path: '/it', target_url: 'https://it.example', api_key: 'sk-it' }

/** A file around a part: keys where it has none, and the upstreams that its keys name. */
function whole(part: Mapping): string {
  const isAnonymous = isMapping(part.server) && part.server.allow_anonymous === true
  const keys = part.api_keys ?? (isAnonymous ? undefined : { static: [{ key: 'fgk_of_the_block_0123456789' }] })
  const named = [...JSON.stringify(keys ?? {}).matchAll(/"upstreams":(\[[^\]]*\])/g)]
    .flatMap(([, names]) => JSON.parse(names!) as string[])
    .map((name) => [name, { ...ANY_UPSTREAM, request_path: `/named/${name}` }])
  const upstreams = { ...Object.fromEntries(named), ...(isMapping(part.upstreams) ? part.upstreams : {}) }
  return JSON.stringify({ version: 1, ...part, upstreams, ...(keys === undefined ? {} : { api_keys: keys }) })
}

/** Everything that is wrong with the file, warnings too, where its variables are set and its secret files are there. */
function check(text: string): string[] {
  const folder = mkdtempSync(path.join(tmpdir(), 'fluxgate-guide-'))
  try {
    const env: NodeJS.ProcessEnv = {}
    for (const [, name] of text.matchAll(/\benv"?:\s*"?(\w+)/g)) env[name!] = `value-of-${name}`
    const put = (file: string, content: string): void => {
      mkdirSync(path.join(folder, path.dirname(file)), { recursive: true })
      writeFileSync(path.join(folder, file), content)
    }
    for (const [, file] of text.matchAll(/\bfile"?:\s*"?\/?([\w./-]+)/g))
      put(file!, `secret-of-${file}-0123456789abcdef0123\n`)
    for (const [kind, pem] of [
      ['ca', CA],
      ['cert', CLIENT_CERTIFICATE],
      ['key', CLIENT_CERTIFICATE_KEY],
    ] as const) {
      for (const [, file] of text.matchAll(new RegExp(`\\b${kind}"?:\\s*"?([\\w./-]+\\.(?:pem|crt|key))`, 'g')))
        put(file!, pem)
    }
    // What is mounted at an absolute path stands in this folder here.
    put('fluxgate.yaml', text.replaceAll(/(\b(?:file|ca|cert|key)"?:\s*"?)\//g, '$1'))
    const loaded = loadSettings(path.join(folder, 'fluxgate.yaml'), env)
    return [...(loaded.ok ? [] : loaded.problems), ...loaded.warnings].map((problem) =>
      formatProblem({ ...problem, file: 'block' }),
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const checked = new Map<string, number>()
for (const page of GUIDE) {
  for (const { line, text } of blocksOf(page, 'yaml')) {
    for (const file of filesOf(text)) {
      checked.set(page, (checked.get(page) ?? 0) + 1)
      test(`${page}:${line} is a valid configuration`, () => assert.deepEqual(check(file), []))
    }
  }
}

test('blocks are found on the pages that are made of them', () => {
  for (const page of ['README.md', 'docs/guide/configuration.md', 'docs/guide/authentication.md']) {
    assert.ok((checked.get(page) ?? 0) > 0, page)
  }
})

for (const [what, text, found] of [
  ['a misspelt key of a whole file', 'version: 1\nserver: { max_conections: 1 }\n', /max_conections: unknown/],
  [
    'a wrong value in a part',
    'upstreams:\n  a: { request_path: a, target_url: "https://a.example" }\n',
    /must be a path/,
  ],
  ['an unknown key of an upstream', 'credential: x-api-key\nkeepfields: [authorization]\n', /keepfields/],
  ['a wrong one of several alternatives', 'api_key: a\napi_key: { enf: A }\n', /block/],
] as const) {
  test(`${what} is seen`, () => assert.match(filesOf(text).flatMap(check).join('\n'), found))
}

test('a block of another program is not judged', () => {
  assert.deepEqual(filesOf('logs:\n  - type: file\n'), [])
})
