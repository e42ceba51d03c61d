import type { Outcome, RecordLevel } from '../failure.ts'
import type { Usage } from '../llm/usage.ts'

/** What records have in common whose requests repeat each other: parts of the line, empty before the first one is written. */
export interface RecordMemo {
  /** Up to the length of the request's body. */
  before: string
  /** From the key to the name of the duration. */
  between: string
}

/** As the tap tells it, with what it costs. */
export type RecordUsage = Omit<Usage, 'tier' | 'reason'>

/** What is known of an exchange when it has ended; one of these becomes one line of the log. Absent values are undefined. */
export interface RequestRecord {
  readonly level: RecordLevel
  readonly clientIp: string | undefined
  /** The connection's other end, where that is not the client. */
  readonly peerIp: string | undefined
  readonly method: string
  /** The request target as received; the log redacts the credentials in its query. */
  readonly requestUrl: string
  /** Content-Length of the request, as received. */
  readonly requestBodyLength: string | undefined
  /** The key's id, or its place in the configuration. */
  readonly apiKey: string | undefined
  /** Who the token of the request says that its bearer is. */
  readonly subject: string | undefined
  /** Subject of the certificate that the client has shown. */
  readonly clientCertificate: string | undefined
  /** scheme://authority/target as sent upstream. */
  readonly targetUrl: string | undefined
  readonly upstream: string | undefined
  /** On the monotonic clock; else it ends now. */
  readonly endedAtMs?: number
  readonly durationMs: number
  /** What the client got; undefined when it got nothing. */
  readonly status: number | undefined
  readonly responseBodyLength: string | undefined
  /** Bytes of content relayed, without chunk framing and trailers. */
  readonly requestBytes: number
  readonly responseBytes: number
  /** First byte of the response head minus the end of the request head. */
  readonly ttfbMs: number | undefined
  readonly outcome: Outcome
  readonly error: string | undefined
  /** Of the upstream, with its port, that was used or tried last. */
  readonly upstreamAddress: string | undefined
  /** What the upstream calls this exchange. */
  readonly requestId: string | undefined
  /** Why it failed: see `CAUSES`. */
  readonly cause: string | undefined
  /** What it has used, and what that costs. Undefined: nobody was to look. */
  usage?: RecordUsage | undefined
  /** The same for requests of one connection with the same client, method, target, key and upstream, whose target is no secret. */
  readonly memo?: RecordMemo | undefined
}
