/** From a path to a configuration: what is made of a valid file, and what is said of one that cannot be read. */
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { assemble } from '../../../src/config/assemble.ts'
import { defaultConfiguration, type LoadFailure, loadConfiguration } from '../../../src/config/load.ts'
import { DEFAULT_SETTINGS } from '../../../src/config/settings.ts'
import { createFieldRules } from '../../../src/http/field-rules.ts'
import { parallelism } from '../../../src/runtime/parallelism.ts'
import { withoutPrivileges } from './compile/without-privileges.ts'
import { createFolder, loadInvalid, loadValid, makeFifo } from './configuration-folder.ts'

const FULL = `
version: 1
server:
  bind_address: "[::1]:9000"
  max_connections: 7
  workers: 5
  head_timeout_ms: 1
  body_timeout_ms: 2
  keep_alive_timeout_ms: 3
  shutdown_timeout_ms: 4
  shutdown_delay_ms: 6
  cors: { allow_origins: ["https://app.example", "app://local"] }
  socket_mode: "606"
  proxy_protocol: { from: [10.0.0.0/8, unix] }
  trusted_proxies: ["::1"]
upstreams:
  connect_timeout_ms: 10
  response_timeout_ms: 11
  idle_timeout_ms: 12
  request_timeout_ms: 13
  keep_alive_timeout_ms: 14
  max_connection_age_ms: 15
  openai:
    request_path: /openai/
    target_url: https://API.openai.com/base/
    api_key: provider-key
    credential: bearer
    remove_fields: [CF-*, origin]
    set_fields: { OpenAI-Organization: org-é }
    keep_fields: [X-Api-Key]
    rewrite_location: true
    rewrite_upload_url: true
    websocket: true
    query_credential: true
    idle_timeout_ms: 20
  other:
    request_path: /
    target_url: http://127.0.0.1:1234
    credential: pass
    connect_timeout_ms: 30
    response_timeout_ms: 31
    request_timeout_ms: 33
    keep_alive_timeout_ms: 0
    max_connection_age_ms: 35
api_keys:
  static:
    - key: abcdefghijklmnop
      id: team
      upstreams: [other]
    - key_sha256: "${'AB'.repeat(32)}"
  jwt:
    - id: kid
      key: 0123456789abcdef0123456789abcdef
    - id: strict
      key: abcdef0123456789abcdef0123456789
      audience: gateway
      issuer: [https://a, https://b]
      require_exp: true
      leeway_ms: 1500
      upstreams: [other]
`

test('everything that a file can say arrives', (t) => {
  const { configuration, warnings } = loadValid(t, FULL)
  assert.deepEqual(warnings, [])
  assert.deepEqual(configuration.server, {
    bindAddress: { host: '::1', port: 9000, text: '[::1]:9000' },
    cors: { allowOrigins: ['https://app.example', 'app://local'] },
    maxConnections: 7,
    workers: 5,
    headTimeoutMs: 1,
    bodyTimeoutMs: 2,
    keepAliveTimeoutMs: 3,
    shutdownTimeoutMs: 4,
    shutdownDelayMs: 6,
    socketMode: 0o606,
    proxyProtocol: { ranges: [{ base: [0, 0, 0, 0, 0, 0xffff, 0x0a00, 0], prefixLength: 104 }], hasUnix: true },
    trustedProxies: { ranges: [{ base: [0, 0, 0, 0, 0, 0, 0, 1], prefixLength: 128 }], hasUnix: false },
    tls: undefined,
  })
  assert.equal(configuration.anonymous, undefined)
  assert.deepEqual(configuration.upstreams, [
    {
      name: 'openai',
      prefix: '/openai',
      target: { scheme: 'https', host: 'api.openai.com', port: 443, authority: 'API.openai.com', basePath: '/base' },
      apiKey: 'provider-key',
      credential: 'bearer',
      fields: createFieldRules({
        remove: ['cf-*', 'origin'],
        set: [{ name: 'OpenAI-Organization', value: 'org-\xc3\xa9' }],
        keep: ['x-api-key'],
      }),
      rewritesLocation: true,
      versions: { forHttp1: 'http1', forHttp2: 'either' },
      rewritesUploadUrl: true,
      takesUpgrades: true,
      takesQueryKeys: true,
      usage: 'auto',
      provider: undefined,
      tunnelIdleTimeoutMs: 20,
      tls: undefined,
      endpoint: 'https://api.openai.com:443',
      connectTimeoutMs: 10,
      responseTimeoutMs: 11,
      idleTimeoutMs: 20,
      requestTimeoutMs: 13,
      keepAliveTimeoutMs: 14,
      maxConnectionAgeMs: 15,
      connectTo: undefined,
      proxy: undefined,
    },
    {
      name: 'other',
      prefix: '',
      target: { scheme: 'http', host: '127.0.0.1', port: 1234, authority: '127.0.0.1:1234', basePath: '' },
      apiKey: undefined,
      credential: 'pass',
      fields: undefined,
      rewritesLocation: false,
      versions: { forHttp1: 'http1', forHttp2: 'http1' },
      rewritesUploadUrl: false,
      takesUpgrades: false,
      takesQueryKeys: false,
      usage: 'auto',
      provider: undefined,
      tunnelIdleTimeoutMs: 12,
      tls: undefined,
      endpoint: 'http://127.0.0.1:1234',
      connectTimeoutMs: 30,
      responseTimeoutMs: 31,
      idleTimeoutMs: 12,
      requestTimeoutMs: 33,
      keepAliveTimeoutMs: 0,
      maxConnectionAgeMs: 35,
      connectTo: undefined,
      proxy: undefined,
    },
  ])
})

test('keys open what they list, or everything', (t) => {
  const { staticKeys, jwtKeys } = loadValid(t, FULL).configuration.keys
  const team = staticKeys.get(hash('sha256', 'abcdefghijklmnop', 'hex'))
  assert.equal(team?.name, 'team')
  assert.equal(team.routes.find('/openai/v1')?.name, 'other')
  const nameless = staticKeys.get('ab'.repeat(32))
  assert.equal(nameless?.name, 'static[1]')
  assert.equal(nameless.routes.find('/openai/v1')?.name, 'openai')
  const jwt = jwtKeys.get('kid')
  assert.equal(jwt?.identity.name, 'kid')
  assert.equal(jwt.identity.routes.find('/openai')?.name, 'openai')
  assert.equal(Buffer.from(jwt.secret).toString(), '0123456789abcdef0123456789abcdef')
  const { secret: _, identity: __, ...open } = jwt
  assert.deepEqual(open, { audiences: [], issuers: [], requiresExpiry: false, leewaySeconds: 5 })
  const { secret: ___, identity, ...rules } = jwtKeys.get('strict')!
  assert.deepEqual(rules, {
    audiences: ['gateway'],
    issuers: ['https://a', 'https://b'],
    requiresExpiry: true,
    leewaySeconds: 1.5,
  })
  assert.equal(identity.routes.find('/openai/v1')?.name, 'other')
})

test('what a file does not say has its default', (t) => {
  const { configuration } = loadValid(t, 'version: 1\nupstreams: { a: { request_path: /a, target_url: "http://a" } }\n')
  assert.deepEqual(configuration.server, defaultConfiguration().server)
  const [upstream] = configuration.upstreams
  assert.deepEqual(
    [upstream?.connectTimeoutMs, upstream?.responseTimeoutMs, upstream?.idleTimeoutMs, upstream?.requestTimeoutMs],
    [10_000, 600_000, 600_000, undefined],
  )
  assert.deepEqual([upstream?.keepAliveTimeoutMs, upstream?.maxConnectionAgeMs], [20_000, 600_000])
  assert.equal(upstream?.credential, 'swap')
})

test('the default configuration listens and lets nobody in', () => {
  const { server, anonymous, keys, upstreams } = defaultConfiguration()
  assert.deepEqual(server, {
    bindAddress: { host: '0.0.0.0', port: 8080, text: '0.0.0.0:8080' },
    cors: undefined,
    maxConnections: 1024,
    workers: parallelism(),
    headTimeoutMs: 10_000,
    bodyTimeoutMs: 60_000,
    keepAliveTimeoutMs: 75_000,
    shutdownTimeoutMs: undefined,
    shutdownDelayMs: 0,
    socketMode: 0o660,
    proxyProtocol: undefined,
    trustedProxies: undefined,
    tls: undefined,
  })
  assert.equal(anonymous, undefined)
  assert.equal(keys.staticKeys.size + keys.jwtKeys.size + upstreams.length, 0)
})

test('an anonymous gateway has one identity without a name', (t) => {
  const text =
    'version: 1\nserver: { allow_anonymous: true }\nupstreams: { a: { request_path: /a, target_url: "http://a", api_key: " " } }\n'
  const { anonymous, upstreams } = loadValid(t, text).configuration
  assert.equal(anonymous?.name, '')
  assert.equal(anonymous.routes.find('/a/b'), upstreams[0])
  assert.equal(upstreams[0]?.apiKey, '')
})

test('a configuration is frozen', (t) => {
  const { configuration } = loadValid(t, FULL)
  const [upstream] = configuration.upstreams
  for (const part of [
    ...[
      configuration,
      configuration.server,
      configuration.server.bindAddress,
      configuration.keys,
      configuration.upstreams,
    ],
    ...[upstream, upstream?.target, configuration.keys.staticKeys, configuration.keys.staticKeys.get('ab'.repeat(32))],
    ...configuration.keys.jwtKeys.values(),
  ]) {
    assert.ok(Object.isFrozen(part))
  }
})

test('settings survive the way to another thread, which makes the same configuration of them', (t) => {
  const { configuration, settings } = loadValid(t, FULL)
  const copy = assemble(structuredClone(settings))
  assert.equal(JSON.stringify(copy), JSON.stringify(configuration))
  const digest = 'ab'.repeat(32)
  assert.equal(copy.keys.staticKeys.size, configuration.keys.staticKeys.size)
  assert.equal(copy.keys.staticKeys.get(digest)?.name, configuration.keys.staticKeys.get(digest)?.name)
  assert.deepEqual(copy.keys.jwtKeys.get('kid')?.secret, configuration.keys.jwtKeys.get('kid')?.secret)
  assert.deepEqual({ ...assemble(DEFAULT_SETTINGS).server, workers: parallelism() }, defaultConfiguration().server)
})

function failure(path: string): LoadFailure {
  const loaded = loadConfiguration(path, {})
  assert.ok(!loaded.ok)
  return loaded
}

test('a file that is not there', (t) => {
  const { file } = createFolder(t)
  const { cause, reason, error, problems } = failure(file)
  assert.deepEqual([cause, reason], ['io', 'missing'])
  assert.equal(error, `${file}: does not exist`)
  assert.equal(problems.length, 1)
})

test('a folder of the path that is a file', (t) => {
  const { write } = createFolder(t)
  assert.equal(failure(join(write('plain', ''), 'fluxgate.yaml')).reason, 'missing')
})

test('a link to nowhere, and a link to itself', (t) => {
  const { path, file } = createFolder(t)
  symlinkSync('nowhere', file)
  assert.equal(failure(file).reason, 'missing')
  symlinkSync('loop', join(path, 'loop'))
  assert.equal(failure(join(path, 'loop')).reason, 'other')
})

test('a file that we may not read', (t) => {
  const { path, file, write } = createFolder(t)
  write('fluxgate.yaml', 'version: 1\n')
  chmodSync(path, 0o755)
  chmodSync(file, 0o000)
  const { cause, reason, error } = withoutPrivileges(() => failure(file))
  assert.deepEqual([cause, reason], ['io', 'denied'])
  assert.equal(error, `${file}: cannot be read: permission denied`)
})

test('a directory', (t) => {
  const { file } = createFolder(t)
  mkdirSync(file)
  const { cause, reason, error } = failure(file)
  assert.deepEqual([cause, reason, error], ['io', 'other', `${file}: is a directory, not a file`])
})

test('a FIFO does not block, and neither does a device', (t) => {
  const { file } = createFolder(t)
  makeFifo(file)
  assert.equal(failure(file).error, `${file}: is a FIFO, not a file`)
  assert.equal(failure('/dev/zero').error, '/dev/zero: is not a regular file')
})

test('ten MiB are read, one byte more is not', (t) => {
  const { file, write } = createFolder(t)
  const text = 'version: 1\n#'
  write('fluxgate.yaml', text.padEnd(10 * 1024 * 1024, '-'))
  assert.ok(loadConfiguration(file, {}).ok)
  write('fluxgate.yaml', text.padEnd(10 * 1024 * 1024 + 1, '-'))
  const { cause, reason, error } = failure(file)
  assert.deepEqual([cause, reason, error], ['io', 'other', `${file}: is larger than 10 MiB`])
})

test('a file whose size is not known beforehand', { skip: process.platform !== 'linux' }, () => {
  // Files in /proc say that their size is 0. This one is YAML by chance, with many keys that are not ours.
  assert.ok(failure('/proc/self/status').warnings.length > 10)
})

test('the address of an invalid file is handed on, also a text that is none, for the failed bind', (t) => {
  const bad = (text: string) => loadInvalid(t, `version: 1\nserver: { bind_address: ${text} }\n`).bindAddress
  assert.equal(bad('localhost:8080'), 'localhost:8080')
  assert.equal(bad('""'), '')
  assert.equal(bad('8080'), undefined)
  assert.deepEqual(loadInvalid(t, 'version: 2\nserver: { bind_address: "127.0.0.1:1" }\n').bindAddress, {
    host: '127.0.0.1',
    port: 1,
    text: '127.0.0.1:1',
  })
  assert.equal(loadInvalid(t, 'version: 2\nserver: { bind_address: x }\n').bindAddress, 'x')
  assert.equal(loadInvalid(t, 'version: 2\n').bindAddress, undefined)
})

test('an invalid file still says how the door works, as far as that is valid', (t) => {
  const wayIn = (text: string) => loadInvalid(t, `version: 2\nserver: { ${text} }\n`).wayIn
  const peers = { ranges: [{ base: [0, 0, 0, 0, 0, 0, 0, 1], prefixLength: 128 }], hasUnix: false }
  assert.deepEqual(wayIn('proxy_protocol: { from: ["::1"] }, trusted_proxies: ["::1"], socket_mode: "0666"'), {
    socketMode: 0o666,
    proxyProtocol: peers,
    trustedProxies: peers,
    tls: undefined,
  })
  const nothing = { socketMode: 0o660, proxyProtocol: undefined, trustedProxies: undefined, tls: undefined }
  assert.deepEqual(wayIn('proxy_protocol: 1, trusted_proxies: x, socket_mode: 660'), nothing)
  const failure = loadInvalid(t, 'version: 2\nserver: { bind_address: "unix:x.sock", trusted_proxies: ["::1"] }\n')
  const { server, isDefault } = defaultConfiguration(failure)
  assert.equal(isDefault, true)
  assert.deepEqual(server.trustedProxies, peers)
  assert.match(server.bindAddress.path!, /\/x\.sock$/)
})

test('the path is as it was given', (t) => {
  const { file } = createFolder(t)
  writeFileSync(file, 'version: 2\n')
  const before = process.cwd()
  process.chdir(dirname(file))
  t.after(() => process.chdir(before))
  const { error } = failure('./fluxgate.yaml')
  assert.equal(error, './fluxgate.yaml:1:1: version: must be the integer 1')
})

test('the annotated configuration is valid, and shows every key that there is', () => {
  const url = new URL('../../../config/fluxgate.yaml', import.meta.url)
  const env = { OPENAI_API_KEY: 'a', ANTHROPIC_API_KEY: 'b', GEMINI_API_KEY: 'c' }
  const loaded = loadConfiguration(url.pathname, env)
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.error)
  assert.deepEqual(loaded.warnings, [])
  const text = readFileSync(url, 'utf8')
  const schema = JSON.parse(readFileSync(new URL('../../../config/fluxgate.schema.json', import.meta.url), 'utf8'))
  const names = [...namesIn(schema)]
  assert.ok(names.length > 30)
  for (const name of names) assert.match(text, new RegExp(`^[ #-]*(?:- )?${name}:`, 'm'), name)
})

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly additionalProperties?: JsonSchema | boolean
  readonly items?: JsonSchema
  readonly description?: string
}

/** Names of all keys, without those that are not supported. */
function* namesIn(schema: JsonSchema): Generator<string> {
  for (const [name, value] of Object.entries(schema.properties ?? {})) {
    if (!/in this version|This version/.test(value.description ?? '')) yield name
    yield* namesIn(value)
  }
  if (typeof schema.additionalProperties === 'object') yield* namesIn(schema.additionalProperties)
  if (schema.items !== undefined) yield* namesIn(schema.items)
}
