/**
 * The compiled configuration: immutable, published in one step, and all that the path of a request ever reads.
 * An exchange takes the current snapshot when its head has arrived and keeps it to its end.
 */

/** Where the provider's key goes: the client's own field, a fixed field, or nowhere (`pass`). */
export type CredentialPlace = 'swap' | 'bearer' | 'x-api-key' | 'api-key' | 'x-goog-api-key' | 'pass'

/** The parts of `target_url`, kept apart so that no byte of a request can ever move from one into another. */
export interface Target {
  readonly scheme: 'http' | 'https'
  /** A name or an address, an IPv6 address without its brackets. A name may end in a dot, which is for the resolver alone. */
  readonly host: string
  readonly port: number
  /** What `Host` says upstream: the host as written in the URL (but for a final dot), with the port unless it is the scheme's default. */
  readonly authority: string
  /** Path of the URL without its trailing slashes; empty or starting with a slash. */
  readonly basePath: string
}

export interface UpstreamTls {
  /** PEM. Replaces the system's roots. */
  readonly ca: string | undefined
  readonly serverName: string | undefined
  /** PEM of the client certificate and its key: both or neither. */
  readonly cert: string | undefined
  readonly key: string | undefined
}

/** Where a connection goes: an IP address with its port, or a Unix socket. */
export interface Address {
  /** An IPv4 or IPv6 address without brackets; empty for a Unix socket. */
  readonly host: string
  /** 0 for a Unix socket. */
  readonly port: number
  /** Of a Unix socket; else empty. */
  readonly path: string
  /** As the log shows it: `192.0.2.7:443`, `[2001:db8::7]:443`, `unix:/run/model.sock`. */
  readonly text: string
}

/** An HTTP proxy on the way to an upstream. */
export interface UpstreamProxy {
  /** A name or an address, an IPv6 address without its brackets. */
  readonly host: string
  readonly port: number
  /** Value of `Proxy-Authorization`, one character for each byte; undefined: no login. */
  readonly authorization: string | undefined
}

export interface Upstream {
  readonly name: string
  /** `request_path` without its trailing slashes: empty for `/`. */
  readonly prefix: string
  readonly target: Target
  /** The provider's credential, one character for each byte that goes out; undefined or empty: none is sent. */
  readonly apiKey: string | undefined
  readonly credential: CredentialPlace
  readonly tls: UpstreamTls | undefined
  /** Addresses that stand in for those of the target's host; never empty, and never beside a proxy. */
  readonly connectTo: readonly Address[] | undefined
  readonly proxy: UpstreamProxy | undefined
  /** Two upstreams with the same endpoint (scheme, host, port, TLS material and the way there) share their connections. */
  readonly endpoint: string
  readonly connectTimeoutMs: number
  readonly responseTimeoutMs: number
  readonly idleTimeoutMs: number
  /** Deadline of a whole exchange; undefined: none. */
  readonly requestTimeoutMs: number | undefined
  /** How long a connection is kept while it is idle; 0: it is not. */
  readonly keepAliveTimeoutMs: number
  /** From this age on, give or take a tenth, a connection takes no other exchange. */
  readonly maxConnectionAgeMs: number
}

/** Longest-prefix match over a fixed set of upstreams. */
export interface RouteTable {
  /** No path leads anywhere. */
  readonly isEmpty: boolean
  /** The upstream for a path (no query), or undefined. Segments, not characters: `/a` matches `/a` and `/a/b`, never `/ab`. */
  find(path: string): Upstream | undefined
}

/** Who a client is, once its key has been checked. */
export interface Identity {
  /** What the request record shows: the key's `id`, or its place (`static[0]`). */
  readonly name: string
  /** The upstreams open to this key. */
  readonly routes: RouteTable
}

/** Identities of the static keys by the lower-case hex SHA-256 of the key's UTF-8 bytes. */
export interface StaticKeys {
  readonly size: number
  /** The same object each time. */
  get(digest: string): Identity | undefined
  has(digest: string): boolean
}

export interface KeyRing {
  readonly staticKeys: StaticKeys
  /** HS256 keys by `kid`. */
  readonly jwtKeys: ReadonlyMap<string, { readonly secret: Uint8Array; readonly identity: Identity }>
}

export interface BindAddress {
  /** An IPv4 or IPv6 address (without brackets). */
  readonly host: string
  readonly port: number
  /** As written in the configuration, for the log. */
  readonly text: string
}

export interface ServerSettings {
  readonly bindAddress: BindAddress
  readonly maxConnections: number
  readonly headTimeoutMs: number
  readonly bodyTimeoutMs: number
  readonly keepAliveTimeoutMs: number
  readonly shutdownTimeoutMs: number | undefined
}

export interface Snapshot {
  /** 1 for the first snapshot of the process, one more with every publication. */
  readonly generation: number
  /** No file says any of this: the gateway waits for one that is valid. */
  readonly isDefault: boolean
  readonly server: ServerSettings
  /** The identity of every request when `allow_anonymous` is set; it has all upstreams open and no name. */
  readonly anonymous: Identity | undefined
  readonly keys: KeyRing
  readonly upstreams: readonly Upstream[]
}
