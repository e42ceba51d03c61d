/**
 * The compiled configuration: immutable, published in one step, and all that the path of a request ever reads.
 * An exchange takes the current snapshot when its head has arrived and keeps it to its end.
 */

import type { PeerSet } from '../http/address.ts'
import type { FieldRules } from '../http/field-rules.ts'

/** A field of the operator's choice that carries keys, and what stands before the key in it. */
export interface OwnField {
  /** As configured, and in lower case. */
  readonly field: string
  readonly name: string
  /** Without the blank behind it; empty: the key stands alone. */
  readonly scheme: string
}

/** Where the provider's key goes: the client's own field, a fixed field, nowhere (`pass`), or a field of the operator's choice. */
export type CredentialPlace = 'swap' | 'bearer' | 'x-api-key' | 'api-key' | 'x-goog-api-key' | 'pass' | OwnField

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

/** Over which version an exchange may go to its upstream; `either`: over HTTP/2 if the upstream agrees to that. */
export type Version = 'http1' | 'http2' | 'either'

export interface Upstream {
  readonly name: string
  /** By the version that the client speaks. */
  readonly versions: { readonly forHttp1: Version; readonly forHttp2: Version }
  /** `request_path` without its trailing slashes: empty for `/`. */
  readonly prefix: string
  readonly target: Target
  /** The provider's credential, one character for each byte that goes out; undefined or empty: none is sent. */
  readonly apiKey: string | undefined
  readonly credential: CredentialPlace
  /** What is done to the fields of its requests, undefined: nothing. */
  readonly fields: FieldRules | undefined
  /** A `Location` in its answers that leads to itself gets the gateway's prefix. */
  readonly rewritesLocation: boolean
  /** The path of `x-goog-upload-url` in its answers gets the gateway's prefix. */
  readonly rewritesUploadUrl: boolean
  /** It may switch to WebSocket. */
  readonly takesUpgrades: boolean
  /** A gateway key may stand in the query, as `key` or `api-key`. */
  readonly takesQueryKeys: boolean
  /** `idleTimeoutMs` for a tunnel, which has a longer one where the file sets none. */
  readonly tunnelIdleTimeoutMs: number
  /** How its answers say what they used. */
  readonly usage: UsageReading
  /** Whose prices hold; undefined: whose host it is. */
  readonly provider: string | undefined
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
  /** How many prefixes there are. */
  readonly size: number
  /** The first ones, as `request_path` has them but for a final slash, in the order of the configuration. */
  prefixes(limit: number): readonly string[]
}

/** Who a client is, once its key has been checked. */
export interface Identity {
  /** What the request record shows: the key's `id`, or its place (`static[0]`). */
  readonly name: string
  /** The upstreams open to this key. */
  readonly routes: RouteTable
  /** Who a token says that its bearer is: its `sub`, cut to what a record shows. Absent for static keys and where a token says nothing. */
  readonly subject?: string
  /** Of a token: the identity that all tokens of its key have in common. */
  readonly signer?: Identity
  /** Of a token with an end: when it is over, in milliseconds since 1970, leeway and all. */
  readonly untilMs?: number
}

/** What verifies the tokens of one `kid`, and what it wants of their claims. */
export interface JwtKey {
  readonly secret: Uint8Array
  readonly identity: Identity
  /** One of them must be in `aud`; none: any. */
  readonly audiences: readonly string[]
  /** One of them must be `iss`; none: any. */
  readonly issuers: readonly string[]
  readonly requiresExpiry: boolean
  readonly leewaySeconds: number
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
  readonly jwtKeys: ReadonlyMap<string, JwtKey>
}

export type BindAddress = TcpBindAddress | UnixBindAddress

export interface TcpBindAddress {
  /** An IPv4 or IPv6 address (without brackets). */
  readonly host: string
  readonly port: number
  readonly path?: undefined
  /** As written in the configuration, for the log. */
  readonly text: string
}

export interface UnixBindAddress {
  /** Of the socket's file, absolute. */
  readonly path: string
  /** As written in the configuration: `unix:` and the path. */
  readonly text: string
}

/** Pages of other origins that may use the gateway: exact origins, or `*` alone. */
export interface CorsSettings {
  readonly allowOrigins: readonly string[]
}

/** What is read from files of TLS, and what became of it. */
export interface TlsMaterial {
  /** As the log names it: the file of the certificates. */
  readonly path: string
  /** All that it is read from, for telling what a change of a file means. */
  readonly files: readonly string[]
  /** What the files hold now cannot be used: this is what they held before. Undefined: it is what they hold. */
  readonly kept: { readonly error: string; readonly digest: string } | undefined
  /** Equal for what the configuration names in the same way. */
  readonly place: string
}

/** A certificate of the gateway with its private key. */
export interface ServerCertificate extends TlsMaterial {
  /** PEM: the certificate, and its issuers behind it. */
  readonly cert: string
  readonly key: string
  /** DNS names in lower case, some of which may begin with `*.`. */
  readonly names: readonly string[]
}

/** TLS towards clients. */
export interface ServerTls {
  /** Never empty. The first is for whoever asks for no name, or for one that no other has. */
  readonly certificates: readonly ServerCertificate[]
  /** Who signs the certificates of clients, which must have one then; undefined: they need none. */
  readonly ca: (TlsMaterial & { readonly pem: string }) | undefined
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  /** 32 bytes in base64, which the keys of session tickets are made of: the same wherever the same files are. */
  readonly ticketSecret: string
  /** Equal for equal content: who has contexts for it needs no others. */
  readonly digest: string
}

export interface ServerSettings {
  readonly bindAddress: BindAddress
  readonly cors: CorsSettings | undefined
  readonly maxConnections: number
  /** Threads that serve: from 1 to 256. `auto` is a number already, that of the machine at the time when the file was read. */
  readonly workers: number
  readonly headTimeoutMs: number
  readonly bodyTimeoutMs: number
  readonly keepAliveTimeoutMs: number
  readonly shutdownTimeoutMs: number | undefined
  /** How long a stop goes on accepting. */
  readonly shutdownDelayMs: number
  /** Permissions of the socket's file, where the address is one. */
  readonly socketMode: number
  /** Peers that must send a PROXY header; undefined: nobody. */
  readonly proxyProtocol: PeerSet | undefined
  /** Peers whose `X-Forwarded-For` or `Forwarded` tells the client's address; undefined: none. */
  readonly trustedProxies: PeerSet | undefined
  /** Undefined: plain HTTP. */
  readonly tls: ServerTls | undefined
}

/** The operations door. */
export interface AdminSettings {
  readonly bindAddress: BindAddress
  /** What it asks for but of probes; undefined: nothing where it cannot be reached from elsewhere, and else it tells nobody. */
  readonly token: string | undefined
}

export type UsageReading = 'auto' | 'off' | 'openai' | 'anthropic' | 'gemini' | 'bedrock' | 'cohere' | 'ollama'

/** Where a row of each exchange is kept. */
export interface LedgerSettings {
  readonly store: 'sqlite' | 'postgres' | 'clickhouse'
  /** A secret. Of SQLite the path alone, absolute or from the working folder. */
  readonly url: string
  /** The same for a person: without user and password. */
  readonly place: string
  readonly queueRows: number
  /** Undefined: rows that the store does not take wait in memory. */
  readonly spillPath: string | undefined
  readonly spillMaxBytes: number
  /** 0: for ever. */
  readonly retentionDays: number
}

/** Integers of nano-dollars: for a million tokens each, `request` for one request. Undefined: not said. */
export interface OwnRates {
  readonly input: number | undefined
  readonly cached: number | undefined
  readonly cacheWrite: number | undefined
  readonly output: number | undefined
  readonly reasoning: number | undefined
  readonly audio: number | undefined
  readonly request: number | undefined
}

/** A price of the operator's own. */
export interface PriceRule {
  /** Each `*` stands for any text. */
  readonly model: string
  readonly upstream: string | undefined
  readonly provider: string | undefined
  readonly rates: OwnRates
  /** In rising order of `above`: tokens of input. What a tier leaves open is as below it. */
  readonly tiers: readonly { readonly above: number; readonly rates: OwnRates }[]
}

export interface Snapshot {
  /** 1 for the first snapshot of the process, one more with every publication. */
  readonly generation: number
  /** No file says any of this: the gateway waits for one that is valid. */
  readonly isDefault: boolean
  readonly server: ServerSettings
  readonly admin: AdminSettings | undefined
  readonly ledger: LedgerSettings | undefined
  /** Of the operator's own; the first that fits counts. */
  readonly prices: readonly PriceRule[]
  /** The text of a table of public prices, judged; undefined: the one that Fluxgate brings. */
  readonly priceTable: string | undefined
  /** The identity of every request when `allow_anonymous` is set; it has all upstreams open and no name. */
  readonly anonymous: Identity | undefined
  readonly keys: KeyRing
  /** Names of all identities; asking takes time for each key. */
  readonly keyNames: () => readonly string[]
  readonly upstreams: readonly Upstream[]
  /** Those that take keys in a field of their own, the longest prefix first. */
  readonly withOwnField: readonly (Upstream & { readonly credential: OwnField })[]
  /** Those that take keys in the query. */
  readonly withQueryKeys: readonly Upstream[]
  /** One of them at least may switch to WebSocket. */
  readonly takesUpgrades: boolean
}
