/** Every rule of the configuration file: what breaks it, and the exact lines that a person gets to read. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { server, upstream } from '../../../../src/config/schema/schema.ts'
import { shapeOf } from '../../../../src/config/schema/shape.ts'
import { linesOf, load, type Surroundings } from '../configuration-folder.ts'

const VERSION = 'version: 1\n'
const UPSTREAM = 'upstreams:\n  openai:\n    request_path: /openai\n    target_url: https://api.openai.com\n'
const WORKERS = 'must be auto, or an integer from 1 to 256'
/** Its next line is the sixth. */
const OPEN = VERSION + UPSTREAM
/** Its next line is the eighth. */
const ANONYMOUS = `${VERSION}server:\n  allow_anonymous: true\n${UPSTREAM}`
/** Its next line is the eighth. */
const KEYED = `${OPEN}    api_key: fake\napi_keys:\n`

const TIMEOUT = 'must be an integer of milliseconds from 1 to 2147483647'
const FROM_NONE = 'must be an integer of milliseconds from 0 to 2147483647'
const NO_ADDRESS =
  'must be an IPv4 address or an IPv6 address, with a port if it is not that of target_url (10.0.0.7, 10.0.0.7:8443, [2001:db8::7]:8443), or unix:PATH; names are not looked up here'
const TEXT = 'must be text (in quotes if it looks like a number)'
const SECRET = `${TEXT}, { env: NAME } or { file: PATH }`
const LIST = '; dashes and square brackets make a list of it'
const BLANK = 'must be neither empty nor blank'
const ADDRESS =
  'must be an IPv4 address or an IPv6 address in brackets, and a port: 127.0.0.1:8080 or [::1]:8080; or a Unix socket: unix:/run/fluxgate/fluxgate.sock; names are not resolved'
const NEEDED = "is missing; once keys are configured, an upstream needs its provider's key, or credential: pass"
const RELATIVE = "(relative paths start at the configuration's folder)"
const ONE_OR_MORE = 'must be text (in quotes if it looks like a number), or a list of texts with one in it at least'
const LEEWAY = 'must be an integer of milliseconds from 0 to 60000'
const DIGEST = 'must be the SHA-256 of a key: 64 hex digits, in quotes'

const knownIn = (schema: Parameters<typeof shapeOf>[0]): string => {
  const shape = shapeOf(schema)
  return `known here are ${Object.keys(shape.kind === 'mapping' ? shape.entries : {}).join(', ')}`
}

/** SHA-256 of `abc`, in capitals. */
const ABC = 'BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD'

interface Rule {
  readonly yaml: string
  /** `line:column: path: text`, in the order of the file; none: the file is valid. */
  readonly problems?: readonly string[]
  readonly warnings?: readonly string[]
  readonly around?: Surroundings
}

const RULES: Readonly<Record<string, Rule>> = {
  'version is required': { yaml: 'server: {}\n', problems: ['1:1: version: is missing; must be the integer 1'] },
  'version is 1': { yaml: 'version: 2\n', problems: ['1:1: version: must be the integer 1'] },
  'version is no text': { yaml: 'version: "1"\n', problems: ['1:1: version: must be the integer 1, without quotes'] },
  'numbers and flags have no quotes': {
    yaml: `${VERSION}server: { max_connections: "010", allow_anonymous: "true", head_timeout_ms: "0" }\n`,
    problems: [
      '2:11: server.max_connections: must be an integer from 1, without quotes',
      '2:35: server.allow_anonymous: must be true or false, without quotes',
      '2:60: server.head_timeout_ms: must be an integer of milliseconds from 1 to 2147483647',
    ],
  },
  'version is no float': { yaml: 'version: 1.0\n', problems: ['1:1: version: must be the integer 1'] },
  'version null is an absent version': {
    yaml: 'server:\nversion: ~\n',
    problems: ['2:1: version: is missing; must be the integer 1'],
  },
  'the whole is a mapping': {
    yaml: '- version\n',
    problems: [`1:1: must be a mapping that begins with version: 1${LIST}`],
  },
  'sections may be absent': { yaml: VERSION },
  'sections may be null': { yaml: `${VERSION}server:\nupstreams: ~\napi_keys: null\n` },
  'sections may be empty': { yaml: `${VERSION}server: {}\nupstreams: {}\napi_keys: {}\n` },
  'lists of keys may be null or empty': { yaml: `${VERSION}api_keys:\n  static:\n  jwt: []\n` },
  'sections are mappings': {
    yaml: `${VERSION}server: []\nupstreams: []\napi_keys: text\n`,
    problems: [
      `2:1: server: must be a mapping${LIST}`,
      `3:1: upstreams: must be a mapping${LIST}`,
      '4:1: api_keys: must be a mapping',
    ],
  },
  'unknown keys are warned about with the nearest known name': {
    yaml: `${VERSION}server:\n  max_conections: 1\n  foo: 1\n${UPSTREAM}    targetUrl: x\n    zzz: ~\napi_keys:\n  jwts: []\nserver_: {}\n`,
    warnings: [
      '3:3: server.max_conections: unknown, did you mean max_connections?',
      `4:3: server.foo: unknown; ${knownIn(server)}`,
      '9:5: upstreams.openai.targetUrl: unknown, did you mean target_url?',
      `10:5: upstreams.openai.zzz: unknown; ${knownIn(upstream)}`,
      '12:3: api_keys.jwts: unknown, did you mean jwt?',
      '13:1: server_: unknown, did you mean server?',
    ],
  },
  'an unknown key that could be a secret is not named': {
    yaml: `${KEYED}  hunter: 3\n  static: [{ key: abc, sk-live: 1 }]\n`,
    warnings: ['8:3: api_keys: holds an unknown key; known here are static, jwt'],
    problems: ['9:12: api_keys.static[0]: holds an unknown key; known here are key, key_sha256, id, upstreams'],
  },
  'a restriction of a key that is not understood is an error': {
    yaml: `${KEYED}  static:\n    - { key: abc, upstream: [openai] }\n    - { key: abd, expires: 2020-01-01 }\n    - { key: abe, abd: 1 }\n  jwt: [{ id: a, key: ${'k'.repeat(32)}, aud: x }]\n`,
    problems: [
      '9:19: api_keys.static[0].upstream: unknown, did you mean upstreams?',
      '10:19: api_keys.static[1].expires: unknown; known here are key, key_sha256, id, upstreams',
      '11:7: api_keys.static[2]: holds an unknown key; known here are key, key_sha256, id, upstreams',
      '12:57: api_keys.jwt[0].aud: unknown; known here are id, key, audience, issuer, require_exp, leeway_ms, upstreams',
    ],
  },

  'bind_address is no host name': {
    yaml: `${VERSION}server:\n  bind_address: localhost:8080\n`,
    problems: [`3:3: server.bind_address: ${ADDRESS}`],
  },
  'bind_address is not empty': {
    yaml: `${VERSION}server:\n  bind_address: ""\n`,
    problems: [`3:3: server.bind_address: ${ADDRESS}`],
  },
  'bind_address is text': {
    yaml: `${VERSION}server:\n  bind_address: 8080\n`,
    problems: ['3:3: server.bind_address: must be text: an address and a port, such as "127.0.0.1:8080"'],
  },
  'max_connections starts at 1': {
    yaml: `${VERSION}server:\n  max_connections: 0\n`,
    problems: ['3:3: server.max_connections: must be an integer from 1'],
  },
  'max_connections is whole': {
    yaml: `${VERSION}server:\n  max_connections: 1.5\n`,
    problems: ['3:3: server.max_connections: must be an integer from 1'],
  },
  'max_connections is a number': {
    yaml: `${VERSION}server:\n  max_connections: "5"\n`,
    problems: ['3:3: server.max_connections: must be an integer from 1, without quotes'],
  },
  'max_connections has no upper end': { yaml: `${VERSION}server:\n  max_connections: 4000000000\n` },
  'workers are few or many': { yaml: `${VERSION}server:\n  workers: 1\n` },
  'workers are as many as a thread can be given': { yaml: `${VERSION}server:\n  workers: 256\n` },
  'workers are as many as there are processors': { yaml: `${VERSION}server:\n  workers: auto\n` },
  'workers start at 1': {
    yaml: `${VERSION}server:\n  workers: 0\n`,
    problems: [`3:3: server.workers: ${WORKERS}`],
  },
  'workers end at 256': {
    yaml: `${VERSION}server:\n  workers: 257\n`,
    problems: [`3:3: server.workers: ${WORKERS}`],
  },
  'workers are whole': {
    yaml: `${VERSION}server:\n  workers: 1.5\n`,
    problems: [`3:3: server.workers: ${WORKERS}`],
  },
  'workers are no other word': {
    yaml: `${VERSION}server:\n  workers: many\n`,
    problems: [`3:3: server.workers: ${WORKERS}`],
  },
  'workers are no text': {
    yaml: `${VERSION}server:\n  workers: "2"\n`,
    problems: [`3:3: server.workers: ${WORKERS}, without quotes`],
  },
  'workers are no list': {
    yaml: `${VERSION}server:\n  workers: [1, 2]\n`,
    problems: [`3:3: server.workers: ${WORKERS}`],
  },
  'allow_anonymous is a boolean': {
    yaml: `${VERSION}server:\n  allow_anonymous: yes\n`,
    problems: ['3:3: server.allow_anonymous: must be true or false'],
  },
  'timeouts have a range, and each one that is out of it is told': {
    yaml: `${VERSION}server:\n  head_timeout_ms: 0\n  body_timeout_ms: 2147483648\n  keep_alive_timeout_ms: -1\n  shutdown_timeout_ms: 30s\n`,
    problems: [
      `3:3: server.head_timeout_ms: ${TIMEOUT}`,
      `4:3: server.body_timeout_ms: ${TIMEOUT}`,
      `5:3: server.keep_alive_timeout_ms: ${TIMEOUT}`,
      `6:3: server.shutdown_timeout_ms: ${TIMEOUT}`,
    ],
  },
  'timeouts of upstreams have the same range': {
    yaml: `${VERSION}upstreams:\n  connect_timeout_ms: 0\n  response_timeout_ms: {}\n  idle_timeout_ms: 1e3\n  request_timeout_ms: .inf\n`,
    problems: [
      `3:3: upstreams.connect_timeout_ms: ${TIMEOUT}`,
      `4:3: upstreams.response_timeout_ms: ${TIMEOUT}`,
      `5:3: upstreams.idle_timeout_ms: ${TIMEOUT}`,
      `6:3: upstreams.request_timeout_ms: ${TIMEOUT}`,
    ],
  },
  'connections of upstreams have their times': {
    yaml: `${VERSION}upstreams:\n  keep_alive_timeout_ms: -1\n  max_connection_age_ms: 0\n  a:\n    request_path: /a\n    target_url: http://a\n    keep_alive_timeout_ms: 1.5\n    max_connection_age_ms: soon\n`,
    problems: [
      `3:3: upstreams.keep_alive_timeout_ms: ${FROM_NONE}`,
      `4:3: upstreams.max_connection_age_ms: ${TIMEOUT}`,
      `8:5: upstreams.a.keep_alive_timeout_ms: ${FROM_NONE}`,
      `9:5: upstreams.a.max_connection_age_ms: ${TIMEOUT}`,
    ],
  },
  'none is kept': { yaml: `${OPEN}    keep_alive_timeout_ms: 0\n` },
  'connect_to takes addresses': {
    yaml: `${OPEN}    connect_to: [10.0.0.7, "10.0.0.7:8443", "2001:db8::7", "[2001:db8::7]:8443", "unix:/run/a.sock"]\n`,
  },
  'connect_to takes nothing else': {
    yaml: `${OPEN}    connect_to:\n    - host.test\n    - 10.0.0.7:0\n    - 10.0.0.7:65536\n    - unix:a.sock\n    - unix:/${'x'.repeat(103)}\n    - "fe80::1%eth0"\n    - ""\n    - "10.0.0.7:"\n`,
    problems: [
      `7:7: upstreams.openai.connect_to[0]: ${NO_ADDRESS}`,
      '8:7: upstreams.openai.connect_to[1]: must have a port from 1 to 65535',
      '9:7: upstreams.openai.connect_to[2]: must have a port from 1 to 65535',
      '10:7: upstreams.openai.connect_to[3]: must have an absolute path after unix:, as in unix:/run/model.sock',
      '11:7: upstreams.openai.connect_to[4]: must have a path of at most 103 bytes after unix:',
      `12:7: upstreams.openai.connect_to[5]: ${NO_ADDRESS}`,
      `13:7: upstreams.openai.connect_to[6]: ${BLANK}`,
      `14:7: upstreams.openai.connect_to[7]: ${NO_ADDRESS}`,
    ],
  },
  'connect_to is a list with something in it': {
    yaml: `${OPEN}    connect_to: []\n  b:\n    request_path: /b\n    target_url: http://b\n    connect_to: 10.0.0.7\n`,
    problems: [
      '6:5: upstreams.openai.connect_to: must name at least one address; without connect_to, the host of target_url is looked up',
      '10:5: upstreams.b.connect_to: must be a list of addresses, such as ["10.0.0.7", "10.0.0.8:8443", "unix:/run/model.sock"]',
    ],
  },
  'connect_to names no address twice': {
    yaml: `${OPEN}    connect_to: [10.0.0.7, "10.0.0.7:443"]\n`,
    problems: ['6:28: upstreams.openai.connect_to[1]: repeats an address of this list'],
  },
  'a proxy is a URL and a login': {
    yaml: `${OPEN}    proxy: { url: "http://proxy.test:3128/", user: gateway, password: "fake: 1" }\n`,
  },
  'a proxy needs a URL': {
    yaml: `${OPEN}    proxy: {}\n`,
    problems: [
      '6:5: upstreams.openai.proxy.url: is missing; must be the URL of an HTTP proxy that starts with http://; what goes through it to an https target is encrypted all the same',
    ],
  },
  'a proxy is spoken to in the clear': {
    yaml: `${OPEN}    proxy: { url: "https://proxy.test:3128" }\n`,
    problems: [
      '6:14: upstreams.openai.proxy.url: must be the URL of an HTTP proxy that starts with http://; what goes through it to an https target is encrypted all the same',
    ],
  },
  'the URL of a proxy holds nothing else': {
    yaml: `${OPEN}    proxy: { url: "http://u:5ecret@proxy.test:3128" }\n  b:\n    request_path: /b\n    target_url: http://b\n    proxy: { url: "http://proxy.test/a" }\n  c:\n    request_path: /c\n    target_url: http://c\n    proxy: { url: "http://proxy.test:0" }\n`,
    problems: [
      '6:14: upstreams.openai.proxy.url: must not hold a user or password; they belong into user and password beside it',
      '10:14: upstreams.b.proxy.url: must end with its port: a proxy has no path, query (?) or fragment (#)',
      '14:14: upstreams.c.proxy.url: must have a port from 1 to 65535',
    ],
  },
  'the login of a proxy has two parts': {
    yaml: `${OPEN}    proxy: { url: "http://p", user: a }\n  b:\n    request_path: /b\n    target_url: http://b\n    proxy: { url: "http://p", password: 5ecret }\n`,
    problems: [
      '6:31: upstreams.openai.proxy.user: needs password beside it',
      '10:31: upstreams.b.proxy.password: needs user beside it',
    ],
  },
  'the login of a proxy goes into a field': {
    yaml: `${OPEN}    proxy: { url: "http://p", user: "a:b", password: "5ecret\\n" }\n  b:\n    request_path: /b\n    target_url: http://b\n    proxy: { url: "http://p", user: a, password: { env: NOT_SET } }\n`,
    problems: [
      '6:31: upstreams.openai.proxy.user: must hold neither a colon nor control characters',
      '6:44: upstreams.openai.proxy.password: must not hold line breaks or other control characters',
      '10:40: upstreams.b.proxy.password: takes an environment variable that is not set: NOT_SET',
    ],
  },
  'a proxy finds the upstream itself': {
    yaml: `${OPEN}    connect_to: [10.0.0.7]\n    proxy: { url: "http://p" }\n`,
    problems: ['7:5: upstreams.openai.proxy: stands beside connect_to; one of them must go'],
  },
  'the ends of the range are in it': {
    yaml: `${VERSION}server:\n  head_timeout_ms: 1\n  body_timeout_ms: 2147483647\n`,
  },
  'the files of server.tls have to be there': {
    yaml: `${VERSION}server:\n  tls: { cert: a.pem, key: b.pem }\n`,
    problems: [
      "3:10: server.tls.cert: names a file that does not exist (relative paths start at the configuration's folder)",
      "3:23: server.tls.key: names a file that does not exist (relative paths start at the configuration's folder)",
    ],
  },
  'server.tls null is an absent key': { yaml: `${VERSION}server:\n  tls:\n` },

  'an upstream is a mapping': {
    yaml: `${VERSION}upstreams:\n  openai:\n  conect_timeout_ms: 5\n  "my one": []\n`,
    problems: [
      '3:3: upstreams.openai: must be an upstream: a mapping with request_path and target_url',
      '4:3: upstreams.conect_timeout_ms: must be an upstream: a mapping with request_path and target_url; did you mean connect_timeout_ms?',
      '5:3: upstreams["my one"]: must be an upstream: a mapping with request_path and target_url',
    ],
  },
  'an upstream has a name': {
    yaml: `${VERSION}upstreams:\n  " ": { request_path: /a, target_url: "http://a" }\n`,
    problems: [`3:3: upstreams[" "]: a name ${BLANK}`],
  },
  'an upstream needs a path and a target': {
    yaml: `${VERSION}upstreams:\n  openai: {}\n  other:\n    request_path:\n    target_url: 3\n`,
    problems: [
      '3:3: upstreams.openai.request_path: is missing; must be a path that starts with /',
      '3:3: upstreams.openai.target_url: is missing; must be an absolute URL that starts with https:// or http://',
      '5:5: upstreams.other.request_path: is missing; must be a path that starts with /',
      '6:5: upstreams.other.target_url: must be an absolute URL that starts with https:// or http://',
    ],
  },
  'a target has no placeholder': {
    yaml: `${VERSION}upstreams:\n  a: { request_path: /a, target_url: "https://\${HOST}/v1" }\n  b: { request_path: /b, target_url: "https://{{ .Values.host }}" }\n  d: { request_path: /d, target_url: "https://<resource>.example" }\n  e: { request_path: /e, target_url: "https://a/$metadata", api_key: x }\n`,
    problems: ['3:26', '4:26', '5:26'].map((place, index) => {
      const text = 'holds a placeholder that nothing fills in; write the URL itself'
      return `${place}: upstreams.${'abd'[index]}.target_url: ${text}`
    }),
  },
  'mappings that are easily taken for a text say what is in them': {
    yaml: `${VERSION}server: { cors: "*" }\nupstreams:\n  a: { request_path: /a, target_url: "http://a", api_key: x, proxy: "http://p:3128" }\n`,
    problems: [
      '2:11: server.cors: must be a mapping with allow_origins, a list: { allow_origins: ["https://app.example"] }',
      '4:62: upstreams.a.proxy: must be a mapping with url: { url: "http://proxy.internal.example:3128" }',
    ],
  },
  'a required key under a misspelt name is one problem': {
    yaml: `${VERSION}upstreams:\n  a:\n    request_pth: /a\n    targetUrl: "http://a"\n    target_url:\n    api_kee: k\n`,
    problems: [
      '4:5: upstreams.a.request_pth: unknown, did you mean request_path, which is missing?',
      '5:5: upstreams.a.targetUrl: unknown, did you mean target_url, which is missing?',
    ],
    warnings: ['7:5: upstreams.a.api_kee: unknown, did you mean api_key?'],
  },
  'a misspelt key beside the right one is a warning': {
    yaml: `${VERSION}upstreams:\n  a: { request_path: /a, request_pth: /b, target_url: "http://a" }\n`,
    warnings: ['3:26: upstreams.a.request_pth: unknown, did you mean request_path?'],
  },
  'a path and a target say what is wrong with them': {
    yaml: `${VERSION}upstreams:\n  a: { request_path: a, target_url: "ftp://a" }\n  b: { request_path: //b, target_url: "http://u:p@b" }\n`,
    problems: [
      '3:8: upstreams.a.request_path: must be a path that starts with /',
      '3:25: upstreams.a.target_url: must be an absolute URL that starts with https:// or http://',
      '4:8: upstreams.b.request_path: must start with one slash, not with two',
      '4:27: upstreams.b.target_url: must not hold a user or password; the credential belongs into api_key',
    ],
  },
  'a path is unique without its trailing slashes': {
    yaml: `${OPEN}  other:\n    request_path: /openai//\n    target_url: http://x\n`,
    problems: ['7:5: upstreams.other.request_path: repeats upstreams.openai.request_path'],
  },
  'names that mean something in JavaScript are names': {
    yaml: `${VERSION}upstreams:\n  __proto__: { request_path: /a, target_url: "http://a" }\n  constructor: { request_path: /a, target_url: "http://a" }\n`,
    problems: ['4:18: upstreams.constructor.request_path: repeats upstreams.__proto__.request_path'],
  },
  'credential is one of a list': {
    yaml: `${OPEN}    credential: authorization\n`,
    problems: [
      '6:5: upstreams.openai.credential: must be one of swap, bearer, x-api-key, api-key, x-goog-api-key, pass, or { field: NAME } with or without scheme: TEXT, such as { field: Authorization, scheme: Token }',
    ],
  },
  'what later versions do is refused': {
    yaml: `${OPEN}    protocol: http3\n`,
    problems: ['6:5: upstreams.openai.protocol: must be auto, http1, http2 or match'],
  },
  'switches are on or off': {
    yaml: `${OPEN}    websocket: "on"\n    query_credential: yes\n    rewrite_upload_url: 1\n`,
    problems: [
      '6:5: upstreams.openai.websocket: must be true or false',
      '7:5: upstreams.openai.query_credential: must be true or false',
      '8:5: upstreams.openai.rewrite_upload_url: must be true or false',
    ],
  },
  'what describes this version is accepted': {
    yaml: `${OPEN}    websocket: false\n    protocol: auto\n    query_credential: false\n    rewrite_upload_url: false\n  b: { request_path: /b, target_url: "http://b", protocol: http1 }\n  c: { request_path: /c, target_url: "http://c", protocol: http2 }\n  d: { request_path: /d, target_url: "https://d", protocol: match }\n`,
  },
  'tls is for https': {
    yaml: `${VERSION}upstreams:\n  local:\n    request_path: /\n    target_url: http://local\n    tls: {}\n`,
    problems: ['6:5: upstreams.local.tls: is for https targets only; remove it, or use https in target_url'],
  },
  'files of tls are there': {
    yaml: `${OPEN}    tls:\n      ca: nothere.pem\n      server_name: 10.0.0.1\n      cert: .\n`,
    problems: [
      `7:7: upstreams.openai.tls.ca: names a file that does not exist ${RELATIVE}`,
      '8:7: upstreams.openai.tls.server_name: must be a host name (TLS has no server name for an IP address)',
      `9:7: upstreams.openai.tls.cert: names a file that is a directory, not a file ${RELATIVE}`,
      '9:7: upstreams.openai.tls.cert: needs key beside it',
    ],
  },

  'without keys an upstream needs none': { yaml: OPEN },
  'with keys it does': {
    yaml: `${OPEN}  passes: { request_path: /b, target_url: "http://b", credential: pass }\napi_keys:\n  static: [{ key: abc }]\n`,
    problems: [`3:3: upstreams.openai.api_key: ${NEEDED}`],
  },
  'with keys of jwt as well': {
    yaml: `${OPEN}api_keys:\n  jwt: [{ id: a, key: "0123456789abcdef0123456789abcdef" }]\n`,
    problems: [`3:3: upstreams.openai.api_key: ${NEEDED}`],
  },
  'a wrong key is not missing': {
    yaml: `${OPEN}    api_key: 123\napi_keys:\n  static: [{ key: abc }]\n`,
    problems: [`6:5: upstreams.openai.api_key: ${SECRET}`],
  },
  'an empty key is for anonymous gateways': {
    yaml: `${OPEN}    api_key: ""\n`,
    problems: [
      '6:5: upstreams.openai.api_key: must be neither empty nor blank; only an anonymous gateway (server.allow_anonymous) can do without',
    ],
  },
  'an anonymous gateway may have an empty key': { yaml: `${ANONYMOUS}    api_key: ""\n` },
  'an anonymous gateway may have a blank key': { yaml: `${ANONYMOUS}    api_key: "  "\n` },
  'an anonymous gateway has no keys': {
    yaml: `${ANONYMOUS}    api_key: fake\napi_keys:\n  static: [{ key: abc }]\n`,
    problems: [
      '3:3: server.allow_anonymous: is true although keys are configured; remove it, or the keys under api_keys',
    ],
  },
  'an anonymous gateway may have empty lists of keys': { yaml: `${ANONYMOUS}api_keys: { static: [], jwt: [] }\n` },
  'a secret has one source': {
    yaml: `${OPEN}    api_key: { env: A, file: B }\n`,
    problems: [`6:5: upstreams.openai.api_key: ${SECRET}`],
  },
  'a secret is no list': { yaml: `${OPEN}    api_key: [a]\n`, problems: [`6:5: upstreams.openai.api_key: ${SECRET}`] },
  'a secret of the environment has a name': {
    yaml: `${OPEN}    api_key: { env: "" }\n`,
    problems: ['6:5: upstreams.openai.api_key: must name an environment variable after env'],
  },
  'a null source is an absent one': {
    yaml: `${OPEN}    api_key: { env: FAKE, file: ~ }\n`,
    around: { env: { FAKE: 'fake' } },
  },
  'a variable is set': {
    yaml: `${OPEN}    api_key: { env: FAKE_KEY }\n`,
    problems: ['6:5: upstreams.openai.api_key: takes an environment variable that is not set: FAKE_KEY'],
  },
  'what may be a key in place of a name is not told': {
    yaml: `${OPEN}    api_key: { env: sk-live-1234 }\n`,
    problems: ['6:5: upstreams.openai.api_key: takes an environment variable that is not set'],
  },
  'a variable is not inherited': {
    yaml: `${OPEN}    api_key: { env: constructor }\n`,
    problems: ['6:5: upstreams.openai.api_key: takes an environment variable that is not set'],
  },
  'a file of a secret is there': {
    yaml: `${OPEN}    api_key: { file: nothere }\n`,
    problems: [`6:5: upstreams.openai.api_key: takes a file that does not exist ${RELATIVE}`],
  },

  'a static key has key or key_sha256': {
    yaml: `${KEYED}  static:\n  - {}\n  - id: x\n  - { key: , key_sha256: }\n  -\n  - text\n`,
    problems: [
      '9:5: api_keys.static[0].key: is missing; a key needs key or key_sha256',
      '10:5: api_keys.static[1].key: is missing; a key needs key or key_sha256',
      '11:7: api_keys.static[2].key: is missing; a key needs key or key_sha256',
      '12:4: api_keys.static[3]: must be a mapping with key or key_sha256',
      '13:5: api_keys.static[4]: must be a mapping with key or key_sha256',
    ],
  },
  'a static key has not both': {
    yaml: `${KEYED}  static:\n  - key: abc\n    key_sha256: "${'1'.repeat(64)}"\n`,
    problems: ['10:5: api_keys.static[0].key_sha256: stands beside key; one of them must go'],
  },
  'a static key is not blank': {
    yaml: `${KEYED}  static:\n  - key: ""\n  - key: "  "\n  - key: { env: EMPTY }\n  - key_sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n`,
    around: { env: { EMPTY: '' } },
    problems: [
      `9:5: api_keys.static[0].key: ${BLANK}`,
      `10:5: api_keys.static[1].key: ${BLANK}`,
      '11:5: api_keys.static[2].key: takes an environment variable that is set but empty: EMPTY',
      '12:5: api_keys.static[3].key_sha256: is the digest of an empty key',
    ],
  },
  'a digest has 64 digits': {
    yaml: `${KEYED}  static:\n  - key_sha256: abc\n  - key_sha256: ${'1'.repeat(64)}\n`,
    problems: [`9:5: api_keys.static[0].key_sha256: ${DIGEST}`, `10:5: api_keys.static[1].key_sha256: ${DIGEST}`],
  },
  'static keys and their ids are unique': {
    yaml: `${KEYED}  static:\n  - key: abc\n    id: a\n  - key: abc\n  - key_sha256: ${ABC}\n    id: a\n`,
    problems: [
      '11:5: api_keys.static[1].key: repeats api_keys.static[0].key',
      '12:5: api_keys.static[2].key_sha256: repeats api_keys.static[0].key',
      '13:5: api_keys.static[2].id: repeats api_keys.static[0].id',
    ],
  },
  'an id is text': {
    yaml: `${KEYED}  static:\n  - { key: abc, id: 5 }\n  - { key: def, id: " " }\n`,
    problems: [`9:17: api_keys.static[0].id: ${TEXT}`, `10:17: api_keys.static[1].id: ${BLANK}`],
  },
  'upstreams of a key are configured': {
    yaml: `${KEYED}  static:\n  - key: a\n    upstreams: [opnai, openai, 3, ""]\n  - key: b\n    upstreams: openai\n  - key: c\n    upstreams: [connect_timeout_ms]\n`,
    problems: [
      '10:17: api_keys.static[0].upstreams[0]: is not the name of a configured upstream; did you mean "openai"?',
      `10:32: api_keys.static[0].upstreams[2]: ${TEXT}`,
      `10:35: api_keys.static[0].upstreams[3]: ${BLANK}`,
      '12:5: api_keys.static[1].upstreams: must be a list of names of upstreams',
      '14:17: api_keys.static[2].upstreams[0]: is not the name of a configured upstream',
    ],
  },
  'a timeout beside the upstreams is not one of them': {
    yaml: `${VERSION}upstreams: { connect_timeout_ms: 5 }\napi_keys: { static: [{ key: a, upstreams: [connect_timeout_ms] }] }\n`,
    problems: ['3:44: api_keys.static[0].upstreams[0]: is not the name of a configured upstream'],
  },
  'upstreams of a key may be null or empty': {
    yaml: `${KEYED}  static:\n  - { key: a, upstreams: }\n  - { key: b, upstreams: [] }\n`,
    warnings: [
      '10:15: api_keys.static[1].upstreams: is empty, so that the key opens every upstream; name some, or remove it',
    ],
  },
  'a jwt key has id and key': {
    yaml: `${KEYED}  jwt:\n  - id: ""\n    key: short\n  - id: x\n  - key: { env: NOPE }\n  - ~\n`,
    problems: [
      `9:5: api_keys.jwt[0].id: ${BLANK}`,
      '10:5: api_keys.jwt[0].key: must have at least 32 bytes, which is what HS256 is safe with',
      `11:5: api_keys.jwt[1].key: is missing; ${SECRET}`,
      `12:5: api_keys.jwt[2].id: is missing; ${TEXT}`,
      '12:5: api_keys.jwt[2].key: takes an environment variable that is not set: NOPE',
      '13:5: api_keys.jwt[3]: must be a mapping with id and key',
    ],
  },
  'a jwt id is unique, a jwt key need not be': {
    yaml: `${KEYED}  jwt:\n  - { id: a, key: &k "0123456789abcdef0123456789abcdef" }\n  - { id: a, key: *k }\n  - { id: b, key: *k }\n`,
    problems: ['10:7: api_keys.jwt[1].id: repeats api_keys.jwt[0].id'],
  },
  'what a jwt key wants of claims is one text or several, a switch and a bound': {
    yaml: `${KEYED}  jwt:\n  - { id: a, key: ${'k'.repeat(32)}, audience: gateway, issuer: [a, b], require_exp: true, leeway_ms: 0, upstreams: [openai] }\n  - { id: b, key: ${'k'.repeat(32)}, audience: [x], leeway_ms: 60000 }\n`,
  },
  'and nothing else': {
    yaml: `${KEYED}  jwt:\n  - id: a\n    key: ${'k'.repeat(32)}\n    audience: []\n    issuer: 7\n    require_exp: 1\n    leeway_ms: 60001\n    upstreams: [opnai]\n  - id: b\n    key: ${'k'.repeat(32)}\n    audience: [a, " "]\n    issuer: { env: X }\n    leeway_ms: 0.5\n    upstreams: openai\n  - { id: c, key: ${'k'.repeat(32)}, audience: [x, 7], issuer: "", leeway_ms: -1 }\n`,
    problems: [
      `11:5: api_keys.jwt[0].audience: ${ONE_OR_MORE}`,
      `12:5: api_keys.jwt[0].issuer: ${ONE_OR_MORE}`,
      '13:5: api_keys.jwt[0].require_exp: must be true or false',
      `14:5: api_keys.jwt[0].leeway_ms: ${LEEWAY}`,
      '15:17: api_keys.jwt[0].upstreams[0]: is not the name of a configured upstream; did you mean "openai"?',
      `18:5: api_keys.jwt[1].audience: ${ONE_OR_MORE}`,
      `19:5: api_keys.jwt[1].issuer: ${ONE_OR_MORE}`,
      `20:5: api_keys.jwt[1].leeway_ms: ${LEEWAY}`,
      '21:5: api_keys.jwt[1].upstreams: must be a list of names of upstreams',
      `22:53: api_keys.jwt[2].audience: ${ONE_OR_MORE}`,
      `22:71: api_keys.jwt[2].issuer: ${ONE_OR_MORE}`,
      `22:83: api_keys.jwt[2].leeway_ms: ${LEEWAY}`,
    ],
  },
  'a jwt key of 31 bytes is too short': {
    yaml: `${KEYED}  jwt: [{ id: a, key: 0123456789abcdef0123456789abcde }]\n`,
    problems: ['8:18: api_keys.jwt[0].key: must have at least 32 bytes, which is what HS256 is safe with'],
  },
  'a jwt key of 32 bytes is not, nor has it to be 32 characters': {
    yaml: `${KEYED}  jwt: [{ id: a, key: ${'é'.repeat(16)} }]\n`,
  },
  'a secret that comes from where nothing is': {
    yaml: `${VERSION}upstreams:\n  a: { request_path: /a, target_url: "http://a", api_key: { env: EMPTY } }\napi_keys:\n  static: [{ key: { file: nothing } }]\n  jwt: [{ id: a, key: { env: EMPTY } }]\n`,
    around: { env: { EMPTY: '' }, files: { nothing: ' \n' } },
    problems: [
      '3:50: upstreams.a.api_key: takes an environment variable that is set but empty: EMPTY; only an anonymous gateway (server.allow_anonymous) can do without',
      '5:14: api_keys.static[0].key: takes a file that is empty',
      '6:18: api_keys.jwt[0].key: takes an environment variable that is set but empty: EMPTY',
    ],
  },
  'a jwt key is not blank': {
    yaml: `${KEYED}  jwt: [{ id: a, key: "${' '.repeat(40)}" }]\n`,
    problems: [`8:18: api_keys.jwt[0].key: ${BLANK}`],
  },
  'problems of all kinds are told at once': {
    yaml: 'version: 3\nserver:\n  bind_address: x\nupstreams:\n  a:\n    request_path: /a?b\n    target_url: http://a#b\n    api_key: { file: nothere }\napi_keys:\n  static:\n  - key: "a\\nb"\n',
    problems: [
      '1:1: version: must be the integer 1',
      `3:3: server.bind_address: ${ADDRESS}`,
      '6:5: upstreams.a.request_path: must be a path only, without query (?) or fragment (#)',
      '7:5: upstreams.a.target_url: must not hold a query (?) or a fragment (#)',
      `8:5: upstreams.a.api_key: takes a file that does not exist ${RELATIVE}`,
      '11:5: api_keys.static[0].key: must not hold line breaks or other control characters',
    ],
  },
}

for (const [title, { yaml, problems = [], warnings = [], around = {} }] of Object.entries(RULES)) {
  test(title, (t: TestContext) => {
    const loaded = load(t, yaml, around)
    const prefixed = (lines: readonly string[]) => lines.map((line) => `fluxgate.yaml:${line}`)
    assert.deepEqual(linesOf(loaded.ok ? [] : loaded.problems), prefixed(problems))
    // The keys here are short so that a rule can be read; placeholders.test.ts has the warning.
    const lines = linesOf(loaded.warnings).filter((line) => !line.includes('has fewer than 16 characters'))
    assert.deepEqual(lines, prefixed(warnings))
    if (!loaded.ok) assert.equal(loaded.cause, 'validation')
  })
}
