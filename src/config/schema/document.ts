/** A configuration file after validation, still in the words of the file. */
import type * as v from 'valibot'
import type { admin } from './admin.ts'
import type { jwtKey, staticKey } from './keys.ts'
import type { ledger, PRICES_SCHEMA, usage } from './ledger.ts'
import type { proxy, server, tls, upstream } from './schema.ts'
import type { serverTls } from './server-tls.ts'

/** A document whose wrong values have been reported and taken out: what is there has its type, but anything may be absent. */
type Checked<T> = T extends readonly (infer Item)[]
  ? readonly (Checked<Item> | undefined)[]
  : T extends object
    ? { readonly [K in keyof T]?: Checked<T[K]> | undefined }
    : T

export type SecretSource = string | { readonly env: string } | { readonly file: string }
export type ServerDocument = Checked<Omit<v.InferOutput<typeof server>, 'tls'>> & { readonly tls?: ServerTlsDocument }
/** A certificate and its private key: a text is the path of its file. */
export interface PairDocument {
  readonly cert?: string | undefined
  readonly key?: SecretSource | undefined
}
export type ServerTlsDocument = PairDocument &
  Checked<Pick<v.InferOutput<typeof serverTls>, 'ca' | 'min_version'>> & {
    readonly certificates?: readonly (PairDocument | undefined)[]
  }
export type AdminDocument = Checked<Omit<v.InferOutput<typeof admin>, 'token'>> & { readonly token?: SecretSource }
export type TlsDocument = Checked<v.InferOutput<typeof tls>>
export type ProxyDocument = Checked<Omit<v.InferOutput<typeof proxy>, 'password'>> & {
  readonly password?: SecretSource
}
export type UpstreamDocument = Checked<
  Omit<v.InferOutput<typeof upstream>, 'api_key' | 'credential' | 'set_fields' | 'proxy'>
> & {
  readonly api_key?: SecretSource
  readonly credential?: v.InferOutput<typeof upstream>['credential']
  readonly set_fields?: Readonly<Record<string, SecretSource | undefined>>
  readonly proxy?: ProxyDocument
}
export type TimeoutsDocument = Checked<
  Pick<
    v.InferOutput<typeof upstream>,
    | 'connect_timeout_ms'
    | 'response_timeout_ms'
    | 'idle_timeout_ms'
    | 'request_timeout_ms'
    | 'keep_alive_timeout_ms'
    | 'max_connection_age_ms'
  >
>
export type StaticKeyDocument = Checked<Omit<v.InferOutput<typeof staticKey>, 'key'>> & { readonly key?: SecretSource }
export type JwtKeyDocument = Checked<Omit<v.InferOutput<typeof jwtKey>, 'key'>> & { readonly key?: SecretSource }

export type LedgerDocument = Checked<Omit<v.InferOutput<typeof ledger>, 'url'>> & { readonly url?: SecretSource }
export type UsageDocument = Checked<v.InferOutput<typeof usage>>
export type PricesDocument = Checked<v.InferOutput<typeof PRICES_SCHEMA>>

export interface ConfigurationDocument {
  readonly server?: ServerDocument
  readonly admin?: AdminDocument
  readonly ledger?: LedgerDocument
  readonly usage?: UsageDocument
  /** The shared timeouts beside the upstreams by name. */
  readonly upstreams?: TimeoutsDocument & Readonly<Record<string, UpstreamDocument | number | undefined>>
  readonly api_keys?: {
    readonly static?: readonly (StaticKeyDocument | undefined)[]
    readonly jwt?: readonly (JwtKeyDocument | undefined)[]
  }
}
