import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Configuration, type LoadFailure, type LoadSuccess, loadConfiguration } from '../../../src/config/load.ts'
import type { Settings } from '../../../src/config/settings.ts'
import type { Upstream } from '../../../src/config/snapshot.ts'
import { configurations } from '../corpus.ts'
import type { TextTarget } from '../target.ts'

/** Stands in every secret of the corpus, and is nothing that a name could be. */
const SECRET = '5ecret-0123/45678'

const WHOLE = `version: 1
server: &s
  bind_address: "[::1]:8080"
  max_connections: 5
  workers: 3
  shutdown_timeout_ms: 1
upstreams:
  connect_timeout_ms: 5000
  openai: &up
    request_path: /openai
    target_url: https://api.openai.com/v1
    api_key: a-${SECRET}
    tls: { server_name: x.example }
  other:
    <<: *up
    request_path: /other
    credential: x-api-key
    idle_timeout_ms: 0x10
    connect_to: [10.0.0.7, "10.0.0.8:1", "[::1]:65535", "unix:/a b"]
    keep_alive_timeout_ms: 0
  out:
    request_path: /out
    target_url: http://out.example
    api_key: d-${SECRET}
    max_connection_age_ms: 1
    proxy: { url: "http://proxy.example:3128/", user: u, password: "e-${SECRET}" }
api_keys:
  static:
    - { id: a, key: 'b-${SECRET}', upstreams: [openai] }
    - key_sha256: ${'0f'.repeat(32)}
    - key: { env: KEY }
  jwt:
    - id: team
      key: "c-${SECRET}-and-more-than-thirty-two"
      audience: [gateway, b]
      issuer: https://issuer.example
      require_exp: true
      leeway_ms: 60000
      upstreams: [other]
`

/** What the corpus has of secrets becomes the one that is looked for. */
const withSecrets = (text: string): string =>
  text.replaceAll(/((?<![\w])(?:api_)?key: *)(["']?)[\w-]+\2(?=[\n ,}])/g, `$1$2k-${SECRET}-${SECRET}$2`)

const MAX_MS = 2_147_483_647
const isTimeout = (ms: number): boolean => Number.isInteger(ms) && ms >= 1 && ms <= MAX_MS

function checkUpstream(upstream: Upstream, isAnonymous: boolean): void {
  const { prefix, target, apiKey, credential, tls } = upstream
  assert.match(prefix, /^(?:|\/(?!\/)[!-~]*[!-.0-~])$/)
  assert.doesNotMatch(prefix, /[:?#]/)
  assert.match(target.scheme, /^https?$/)
  assert.ok(isIP(target.host) > 0 || /^[a-z0-9._-]+$/.test(target.host), target.host)
  assert.ok(Number.isInteger(target.port) && target.port >= 1 && target.port <= 65_535)
  assert.match(target.authority, /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?$/)
  assert.match(target.basePath, /^(?:|\/[!-~]*[!-.0-~])$/)
  assert.doesNotMatch(target.basePath, /[?#]/)
  assert.doesNotMatch(apiKey ?? '', /[\0-\x1f\x7f]|^ | $/)
  if (!isAnonymous && apiKey === undefined) assert.equal(credential, 'pass')
  if (target.scheme === 'http') assert.equal(tls, undefined)
  assert.ok([upstream.connectTimeoutMs, upstream.responseTimeoutMs, upstream.idleTimeoutMs].every(isTimeout))
  assert.ok(
    isTimeout(upstream.maxConnectionAgeMs) &&
      (upstream.keepAliveTimeoutMs === 0 || isTimeout(upstream.keepAliveTimeoutMs)),
  )
  checkWay(upstream)
  assert.ok(upstream.requestTimeoutMs === undefined || isTimeout(upstream.requestTimeoutMs))
}

function checkWay({ connectTo, proxy }: Upstream): void {
  assert.ok(connectTo === undefined || (connectTo.length > 0 && proxy === undefined))
  for (const { host, port, path: socket, text } of connectTo ?? []) {
    if (socket === '') assert.ok(isIP(host) > 0 && port >= 1 && port <= 65_535 && text.endsWith(`:${port}`))
    else assert.ok(host === '' && socket.startsWith('/') && !socket.includes('\0'))
  }
  if (proxy === undefined) return
  assert.ok(isIP(proxy.host) > 0 || /^[a-z0-9._-]+$/.test(proxy.host))
  assert.ok(proxy.port >= 1 && proxy.port <= 65_535)
  assert.match(proxy.authorization ?? 'Basic ', /^Basic [A-Za-z0-9+/=]*$/)
}

/** Whatever was configured is found, and what crosses to another thread holds no key. */
function checkKeys({ keys }: Configuration, { count, digests }: Settings['staticKeys']): void {
  assert.equal(keys.staticKeys.size, count)
  assert.ok(/^(?:[0-9a-f]{64})*$/.test(digests) && digests.length === count * 64)
  for (let at = 0; at < digests.length; at += 64)
    assert.ok(keys.staticKeys.get(digests.slice(at, at + 64))!.name.trim() !== '')
}

/** Everything that the path of a request relies on. */
function checkSnapshot({ server, anonymous, keys, upstreams }: Configuration): void {
  const { bindAddress, socketMode, proxyProtocol, trustedProxies } = server
  if (bindAddress.path !== undefined)
    assert.ok(path.isAbsolute(bindAddress.path) && Buffer.byteLength(bindAddress.path) < 108)
  else assert.ok(isIP(bindAddress.host) > 0 && bindAddress.port >= 0 && bindAddress.port <= 65_535)
  assert.ok(socketMode >= 0 && socketMode <= 0o777)
  for (const { base, prefixLength } of [proxyProtocol, trustedProxies].flatMap((peers) => peers?.ranges ?? []))
    assert.ok(base.length === 8 && prefixLength >= 0 && prefixLength <= 128)
  assert.ok(Number.isSafeInteger(server.maxConnections) && server.maxConnections >= 1)
  assert.ok(Number.isSafeInteger(server.workers) && server.workers >= 1 && server.workers <= 256)
  assert.ok([server.headTimeoutMs, server.bodyTimeoutMs, server.keepAliveTimeoutMs].every(isTimeout))
  assert.ok(server.shutdownTimeoutMs === undefined || isTimeout(server.shutdownTimeoutMs))
  if (anonymous !== undefined) assert.equal(keys.staticKeys.size + keys.jwtKeys.size, 0)
  const hasKeys = keys.staticKeys.size + keys.jwtKeys.size > 0
  for (const upstream of upstreams) checkUpstream(upstream, !hasKeys)
  for (const each of [upstreams.map(({ name }) => name), upstreams.map(({ prefix }) => prefix)])
    assert.equal(new Set(each).size, each.length)
  for (const key of keys.jwtKeys.values()) {
    assert.ok(key.secret.length >= 32)
    assert.ok([...key.audiences, ...key.issuers].every((text) => typeof text === 'string' && text.trim() !== ''))
    assert.ok(key.leewaySeconds >= 0 && key.leewaySeconds <= 60)
    assert.ok(key.identity.routes.size <= upstreams.length)
  }
  for (const each of [server, server.bindAddress, keys, upstreams, ...upstreams, ...upstreams.map((u) => u.target)])
    assert.ok(Object.isFrozen(each))
}

function checkTexts(text: string, loaded: LoadSuccess | LoadFailure): void {
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\r|\n/)
  for (const problem of [...loaded.warnings, ...(loaded.ok ? [] : loaded.problems)]) {
    const { line, column } = problem
    assert.ok(
      line !== undefined && line >= 1 && line <= lines.length,
      `line ${line} of ${lines.length}: ${problem.text}`,
    )
    assert.ok(column !== undefined && column >= 1, `column ${column}: ${problem.text}`)
    // Past the end of a line stands what is missing there.
    assert.ok(column <= Math.max(...lines.map(({ length }) => length)) + 2, `column ${column}: ${problem.text}`)
    assert.ok(problem.text !== '' && !problem.text.includes('undefined'))
    assert.doesNotMatch(problem.text, /[\0-\x1f\x7f]/)
    assert.ok(!problem.text.includes('5ecret-0123'), `a secret is told: ${problem.text}`)
    // Names of upstreams are told, and whoever writes a secret there has told it.
    if (!problem.path.startsWith('upstreams')) assert.ok(!problem.path.includes('5ecret-0123'), `${problem.path}`)
  }
}

let folder: string | undefined

export const configuration: TextTarget = {
  name: 'configuration',
  about: 'no document throws, takes effect unless it is right, or is refused without a place',
  isUnicode: true,
  corpus: () => [
    WHOLE,
    'version: 1\n',
    '',
    'version: 1\nserver: { allow_anonymous: true }\n',
    ...configurations().map(withSecrets),
  ],
  spice: [
    ...[
      '\n',
      '\n  ',
      '\n- ',
      ': ',
      ' :',
      '- ',
      ', ',
      '{',
      '}',
      '[',
      ']',
      '#',
      ' #',
      '|',
      '>',
      '|2-\n',
      '%',
      '%YAML 1.1\n---\n',
    ],
    ...[
      '---\n',
      '...\n',
      '\t',
      '"',
      "'",
      '"\\x',
      '"\\ud800"',
      '&a ',
      '*a',
      '*s',
      '*up',
      '<<: *s',
      '<<: [*s, *up]',
      '? ',
      '!!str ',
      '!x ',
    ],
    ...[
      'null',
      '~',
      'true',
      'yes',
      '0',
      '-0',
      '0x1F',
      '0o7',
      '1e3',
      '1.0',
      '.inf',
      '.nan',
      '1_000',
      '\u2028',
      '\ufeff',
      '\r\n',
      '\0',
    ],
    ...[
      '__proto__: {}\n',
      'constructor: 1\n',
      'upstreams:\n',
      'server:\n',
      'api_keys:\n',
      '/',
      '//',
      '..',
      '@',
      '?',
      '{ env: X }',
      '{ file: x }',
    ],
  ],
  check(text) {
    folder ??= mkdtempSync(path.join(tmpdir(), 'fluxgate-fuzz-'))
    const file = path.join(folder, 'fluxgate.yaml')
    writeFileSync(file, text)
    // A half of a surrogate pair is no UTF-8: what is read is what was written.
    const written = text.toWellFormed()
    const loaded = loadConfiguration(file, { KEY: `d-${SECRET}` })
    checkTexts(written, loaded)
    if (loaded.ok) {
      checkSnapshot(loaded.configuration)
      checkKeys(loaded.configuration, loaded.settings.staticKeys)
      return `${loaded.configuration.upstreams.length > 0} ${loaded.warnings.length > 0}`
    }
    assert.ok(loaded.problems.length > 0 && !/[\r\n]/.test(loaded.error))
    assert.ok(!loaded.error.includes('5ecret-0123') || /upstreams\[?\S*5ecret-0123/.test(loaded.error), loaded.error)
    const [first] = loaded.problems
    return `${loaded.cause}: ${first!.text.slice(0, 60)}`
  },
  close() {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
    folder = undefined
  },
}
