/**
 * The configuration file, schema version 1: every key, its type, its default and what it means.
 * Validation, the JSON Schema for editors and the reference page are all made from this one description.
 * What takes more than one value to judge (names that must be unique, keys that exclude each other) is checked in `compile.ts`.
 */
import * as v from 'valibot'
import { admin } from './admin.ts'
import { DEFAULTS } from './defaults.ts'
import { apiKeys } from './keys.ts'
import { ledger, upstreamProvider, upstreamUsage, usage } from './ledger.ts'
import { serverTls } from './server-tls.ts'
import { autoOr, flag, offByDefault, patterned, secret, text, timeout } from './values.ts'

/** The judgement on it is made when it is compiled. */
const PEER = /^(?:unix|[0-9A-Fa-f:.]+(?:\/\d+)?)$/

function peers(description: string) {
  const item = patterned(
    PEER,
    'must be an address or a range of addresses, such as 10.0.0.0/8',
    'An address or a range.',
  )
  return v.pipe(v.array(item, 'must be a list of addresses, such as [10.0.0.0/8]'), v.description(description))
}

/** Each takes memory of its own, and a machine with more processors has other limits first. */
export const MAX_WORKERS = 256

export const server = v.pipe(
  v.strictObject({
    bind_address: v.optional(
      v.pipe(
        v.string('must be text: an address and a port, such as "127.0.0.1:8080"'),
        v.description(
          'Where clients connect: an IPv4 address or an IPv6 address in brackets, and a port; or `unix:` and the path of a socket. Host names are not resolved. `[::]` takes both families, or the one that there is. Port 0 takes any free one, and the log says which.',
        ),
      ),
      DEFAULTS.bind_address,
    ),
    max_connections: v.optional(
      v.pipe(
        v.number('must be an integer from 1'),
        v.safeInteger('must be an integer from 1'),
        v.minValue(1, 'must be an integer from 1'),
        v.description(
          'Client connections at once. Past it, a new connection takes the place of the longest idle one; with none idle, it is answered with 503 and closed.',
        ),
      ),
      DEFAULTS.max_connections,
    ),
    workers: v.optional(
      autoOr(
        MAX_WORKERS,
        'Threads that serve, 1 to 256. `auto`: one for each processor that the process may use, by its affinity and the CPU quota of its container (cgroup v2 and v1), rounded up. All of them share one address, one log and one limit of connections. 1: the main thread serves, and there are no others.',
      ),
      DEFAULTS.workers,
    ),
    allow_anonymous: v.optional(
      flag('Let every request in without a key. No keys may be configured then.'),
      DEFAULTS.allow_anonymous,
    ),
    head_timeout_ms: v.optional(
      timeout('From the first byte of a request head to its last. After it: 408.'),
      DEFAULTS.head_timeout_ms,
    ),
    body_timeout_ms: v.optional(
      timeout('Silence of a client in the middle of its request body. After it: 408.'),
      DEFAULTS.body_timeout_ms,
    ),
    keep_alive_timeout_ms: v.optional(
      timeout('How long an idle client connection is kept open.'),
      DEFAULTS.keep_alive_timeout_ms,
    ),
    shutdown_timeout_ms: v.optional(
      timeout('How long a stop waits for requests in flight before it cuts them. Without it, a stop waits for all.'),
    ),
    shutdown_delay_ms: v.optional(
      timeout(
        'How long a stop goes on accepting before it begins, for balancers that hear late of it. Answers say `Connection: close` meanwhile.',
        0,
      ),
      DEFAULTS.shutdown_delay_ms,
    ),
    cors: v.optional(
      v.pipe(
        v.strictObject(
          {
            allow_origins: v.pipe(
              v.array(text('An origin, or `*` alone.'), 'must be a list of origins'),
              v.description('Exact origins, such as `https://app.example`, or `*` alone for every page there is.'),
            ),
          },
          'must be a mapping with allow_origins, a list: { allow_origins: ["https://app.example"] }',
        ),
        v.description(
          'Let pages of other origins use the gateway: preflights from them are answered before a key is asked for, and they may read the answers.',
        ),
      ),
    ),
    socket_mode: v.optional(
      patterned(
        /^0?[0-7]{3}$/,
        'must be octal permissions in quotes, such as "0660"',
        'Who may connect where `bind_address` is a Unix socket: the permissions of its file, in octal and in quotes; to connect takes the right to write.',
      ),
      DEFAULTS.socket_mode,
    ),
    proxy_protocol: v.optional(
      v.pipe(
        v.strictObject(
          {
            from: peers(
              'Balancers, as addresses or ranges of them (10.0.0.0/8), or `unix` for whoever connects to a Unix socket.',
            ),
          },
          'must be a mapping with from, a list of addresses: { from: [10.0.0.0/8] }',
        ),
        v.description(
          "A PROXY header (version 1 or 2) is required at the start of each connection from these peers, and tells the client's address. From others it is a malformed request.",
        ),
      ),
    ),
    trusted_proxies: v.optional(
      peers(
        'Proxies whose `X-Forwarded-For` (or `Forwarded`, where there is none) tells the `client_ip` of the log: addresses, ranges of them (10.0.0.0/8), or `unix` for whoever connects to a Unix socket. The fields themselves pass untouched.',
      ),
    ),
    tls: v.optional(serverTls),
  }),
  v.description('The side that clients see.'),
)

export const tls = v.pipe(
  v.strictObject({
    ca: v.optional(text("PEM file of certificates to trust instead of the system's roots.")),
    server_name: v.optional(
      text('The name that the certificate must carry and that is asked for. Default: the host of `target_url`.'),
    ),
    cert: v.optional(text('PEM file of the client certificate (and its chain). Needs `key`.')),
    key: v.optional(text('PEM file of the private key of `cert`.')),
  }),
  v.description('TLS towards this upstream, for https targets. Certificates are always verified.'),
)

/** The way to an upstream. */
export const proxy = v.pipe(
  v.strictObject(
    {
      url: patterned(
        /^[Hh][Tt][Tt][Pp]:\/\//,
        'must be the URL of an HTTP proxy that starts with http://; what goes through it to an https target is encrypted all the same',
        'Where the proxy is: `http://`, its host and its port (80 if none is there).',
      ),
      user: v.optional(text('The name for a proxy that wants a login (Basic). Needs `password`.')),
      password: v.optional(secret('The password of `user`. It goes to the proxy only.')),
    },
    'must be a mapping with url: { url: "http://proxy.internal.example:3128" }',
  ),
  v.description(
    'An HTTP proxy that leads to this upstream. Every connection through it is a tunnel (CONNECT), for http targets as well. The proxy variables of the environment are not used.',
  ),
)

const connectTo = v.pipe(
  v.array(
    text('An IPv4 or IPv6 address, with a port if it is not that of `target_url`; or `unix:PATH`.'),
    'must be a list of addresses, such as ["10.0.0.7", "10.0.0.8:8443", "unix:/run/model.sock"]',
  ),
  v.description(
    'Addresses to connect to, in turn, instead of those that the host of `target_url` has. Nothing else changes: `Host`, the server name of TLS, the check of the certificate and the log follow `target_url`.',
  ),
)

const CREDENTIALS = ['swap', 'bearer', 'x-api-key', 'api-key', 'x-goog-api-key', 'pass'] as const

export const upstream = v.pipe(
  v.strictObject(
    {
      request_path: patterned(
        /^\//,
        'must be a path that starts with /',
        'Path prefix that selects this upstream and is stripped. Starts with `/`; `/` alone takes everything. The longest matching prefix wins.',
      ),
      target_url: patterned(
        /^[Hh][Tt][Tt][Pp][Ss]?:\/\//,
        'must be an absolute URL that starts with https:// or http://',
        'Where requests go: an http or https URL, with a base path if the provider needs one; no user, query or fragment.',
      ),
      api_key: v.optional(
        secret(
          "The provider's key. Required once keys are configured, unless `credential` is `pass`. Empty (anonymous gateways only): none is sent.",
        ),
      ),
      credential: v.optional(
        v.pipe(
          v.union(
            [
              v.picklist(CREDENTIALS),
              v.strictObject({
                field: v.string(),
                scheme: v.optional(v.string()),
              }),
            ],
            `must be one of ${CREDENTIALS.join(', ')}, or { field: NAME } with or without scheme: TEXT, such as { field: Authorization, scheme: Token }`,
          ),
          v.description(
            "Where the provider's key goes: `swap` = the field that the client used, or a field by name, or `pass` = leave the client's own provider login alone. Any other field: `{ field: xi-api-key }`, `{ field: Authorization, scheme: Token }`; an empty scheme is the key alone. Clients may send their gateway key there as well.",
          ),
        ),
        DEFAULTS.credential,
      ),
      remove_fields: v.optional(
        v.pipe(
          v.array(
            text('The name of a field; a `*` at its end stands for any rest.'),
            'must be a list of names of fields',
          ),
          v.description('Fields of requests that go no further: `cf-*`, `x-forwarded-*`, `origin`.'),
        ),
      ),
      set_fields: v.optional(
        v.pipe(
          v.objectWithRest(
            {},
            secret('The value of the field that is named so.'),
            'must be a mapping from names of fields to their values',
          ),
          v.description(
            'Fields that each request gets: at the end of its head, or in the place of one with that name. A field that is removed and set is set.',
          ),
        ),
      ),
      keep_fields: v.optional(
        v.pipe(
          v.array(text('The name of a field that carries keys.'), 'must be a list of names of fields'),
          v.description(
            "Fields with a credential of the client's that go on beside the provider's key: `authorization`, `x-api-key`, `api-key`, `x-goog-api-key`. Without it none does.",
          ),
        ),
      ),
      rewrite_location: offByDefault(
        "Put the gateway's prefix into a `Location` or `Content-Location` that leads to the target itself, so that a redirect stays with the gateway.",
      ),
      tls: v.optional(tls),
      connect_timeout_ms: v.optional(timeout('For this upstream, instead of `upstreams.connect_timeout_ms`.')),
      response_timeout_ms: v.optional(timeout('For this upstream, instead of `upstreams.response_timeout_ms`.')),
      idle_timeout_ms: v.optional(timeout('For this upstream, instead of `upstreams.idle_timeout_ms`.')),
      request_timeout_ms: v.optional(timeout('For this upstream, instead of `upstreams.request_timeout_ms`.')),
      keep_alive_timeout_ms: v.optional(timeout('For this upstream, instead of `upstreams.keep_alive_timeout_ms`.', 0)),
      max_connection_age_ms: v.optional(timeout('For this upstream, instead of `upstreams.max_connection_age_ms`.')),
      connect_to: v.optional(connectTo),
      proxy: v.optional(proxy),
      websocket: offByDefault(
        'Let WebSocket upgrades through, and relay the bytes of both sides once the upstream has agreed (101). From then on `idle_timeout_ms` is the only timeout, one hour where the file sets none.',
      ),
      protocol: v.optional(
        v.pipe(
          v.picklist(['auto', 'http1', 'http2', 'match'], 'must be auto, http1, http2 or match'),
          v.description(
            "The HTTP version towards this upstream. `auto`: requests that came over HTTP/2 go over HTTP/2 where an https target agrees, all others over HTTP/1.1. `http2`: always HTTP/2, on an http target without asking. `match`: the client's version, or 502.",
          ),
        ),
        'auto',
      ),
      query_credential: offByDefault(
        "Take a gateway key in the query as well, as the value of `key` or `api-key`; the provider's key takes its place.",
      ),
      rewrite_upload_url: offByDefault(
        "Put the gateway's prefix into the path of the response field `x-goog-upload-url`, of which Google's JavaScript client keeps the path alone.",
      ),
      usage: v.optional(upstreamUsage, DEFAULTS.usage),
      provider: v.optional(upstreamProvider),
    },
    'must be an upstream: a mapping with request_path and target_url',
  ),
  v.description('One provider, under a name of your choice; the name is what the log shows.'),
)

const upstreams = v.pipe(
  v.objectWithRest(
    {
      connect_timeout_ms: v.optional(
        timeout('Name look-up, connect and TLS handshake. After it: 504.'),
        DEFAULTS.connect_timeout_ms,
      ),
      response_timeout_ms: v.optional(
        timeout('From the last byte of a request to the head of its final response. After it: 504.'),
        DEFAULTS.response_timeout_ms,
      ),
      idle_timeout_ms: v.optional(
        timeout('An exchange in which no byte could move, other than the wait for the head. After it: 504, or a cut.'),
        DEFAULTS.idle_timeout_ms,
      ),
      request_timeout_ms: v.optional(
        timeout('Deadline of a whole exchange, connect to last byte. Without it, a stream may run for hours.'),
      ),
      keep_alive_timeout_ms: v.optional(
        timeout(
          'How long a connection to an upstream is kept while no request uses it, or a second less than the upstream announces. 0: none is kept, but for one that a client has logged in (NTLM, Negotiate), which stays until that client goes. Less than what the upstream itself allows, or requests will meet connections that it is just closing.',
          0,
        ),
        DEFAULTS.upstream_keep_alive_timeout_ms,
      ),
      max_connection_age_ms: v.optional(
        timeout(
          'The age at which a connection to an upstream is used for no further request, give or take a tenth. What runs on it goes on.',
        ),
        DEFAULTS.max_connection_age_ms,
      ),
    },
    upstream,
  ),
  v.description('The providers by name, and timeouts that hold for all of them.'),
)

export const CONFIGURATION_SCHEMA = v.pipe(
  v.strictObject(
    {
      version: v.pipe(
        v.literal(1, 'must be the integer 1'),
        v.description('Version of the schema of this file. Always 1.'),
      ),
      server: v.optional(server),
      admin: v.optional(admin),
      upstreams: v.optional(upstreams),
      api_keys: v.optional(apiKeys),
      ledger: v.optional(ledger),
      usage: v.optional(usage),
    },
    'must be a mapping that begins with version: 1',
  ),
  v.title('Fluxgate configuration'),
  v.description('The configuration file of Fluxgate, schema version 1.'),
)
