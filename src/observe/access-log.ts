import type { Snapshot } from '../config/snapshot.ts'
import { threeDigits, timestamp } from '../runtime/clock.ts'
import { ownText } from '../runtime/own-text.ts'
import { cutToFit, quote, textValue } from './escape.ts'
import { isLevelEnabled, type LogSettings, lineHead } from './log.ts'
import type { RecordUsage, RequestRecord } from './record.ts'
import { redactMethod, redactTarget, redactUnchecked } from './redact.ts'

/** The request record as one line: text or JSON, the same fields in the same order. */

/** Every field of the line, in the order in which they stand there, with its meaning for the reference. */
export const ACCESS_FIELDS = {
  client_ip:
    "Address of the client: the connection's other end, or whom a balancer (`server.proxy_protocol`) or a trusted proxy (`server.trusted_proxies`) names. Absent for a client of a Unix socket.",
  peer_ip: "Address of the connection's other end, where `client_ip` is another.",
  method: 'Method of the request; cut after 128 bytes, which `…` shows.',
  request_url:
    'Request target as received, credentials in its query masked. Of a request for which no upstream was found static keys in its path are masked too, and it is cut so that it, `method` and `request_body_length` take 2 KiB at most; `…` shows that.',
  request_body_length: '`Content-Length` of the request.',
  api_key: 'The gateway key that was used: its `id`, or its place in the configuration (`static[0]`). Never the key.',
  subject:
    'The `sub` of the token that opened the door; cut after 256 characters, which `…` shows. Absent for static keys.',
  client_cert:
    'Subject of the certificate that the client has shown (RFC 4514: `CN=agent-7,O=Example`), where `server.tls.ca` asks for one; cut after 256 characters, which `…` shows.',
  target_url: 'Where the request was sent, credentials in its query masked.',
  upstream: 'Name of the upstream in the configuration.',
  duration_ms: 'How long the exchange took, to its last byte.',
  status: 'Status that the client got; absent when it got none.',
  response_body_length: '`Content-Length` of the response.',
  request_bytes: 'Content of the request that was relayed, in bytes: without chunk framing and trailers.',
  response_bytes: 'Content of the response that was relayed, in bytes: without chunk framing and trailers.',
  ttfb_ms: 'From the end of the request head to the first byte of the response head.',
  outcome:
    '`complete`, `client_abort`, `upstream_abort` (the upstream could not be reached, spoke nonsense or broke off), `timeout` (one of the gateway ran out) or `refused` (any other answer that the gateway made).',
  error: 'Code of the failure that ended the exchange; absent when there was none.',
  upstream_address: 'Address and port of the upstream that was used, or tried last.',
  request_id:
    'What the upstream calls the exchange: the first of `x-request-id`, `request-id`, `apim-request-id` and `x-amzn-requestid` of its response that is visible ASCII, up to 128 characters.',
  cause: 'Why it failed, in a word: see [causes](#causes). The client never hears it.',
  model:
    'Model that answered, as the response names it, else as the request does; see [usage and cost](../guide/usage-and-cost.md).',
  request_model: 'Model that the request, or its path, asks for, where that is another.',
  input_tokens: 'Tokens of the request: all of them, cached ones too.',
  cached_tokens: 'Those of them that were read from a cache of the provider.',
  cache_write_tokens: 'Those of them that were written to one.',
  output_tokens: 'Tokens of the response: all of them, those of reasoning too.',
  reasoning_tokens: 'Those of them that were spent on reasoning.',
  cost_usd:
    "What that costs in US dollars: the provider's own figure, else by `usage.prices`, else by the public table.",
  usage:
    '`exact` (as the provider said at the end), `partial` (it broke off: the totals so far), `estimated` (it broke off, or nothing was said), `none` (nothing was used), or `unknown` (it could not be read). Absent where `usage` of the upstream is `off`, and where there was no upstream.',
  ttft_ms: 'From the request to the first event of a stream that has content.',
} as const

type FieldName = keyof typeof ACCESS_FIELDS

export const RECORD_MESSAGE = 'Request processed'

/** What stands between two values. */
function labels(json: boolean): Readonly<Record<FieldName, string>> {
  const names = Object.keys(ACCESS_FIELDS)
  return Object.fromEntries(names.map((name) => [name, json ? `,"${name}":` : ` ${name}=`])) as Record<
    FieldName,
    string
  >
}

/** A length is text that the sender chose: in JSON, what is no number there (`007`), or none that a double holds, stays a string. */
const JSON_NUMBER = /^(?:0|[1-9][0-9]{0,14})$/

function jsonLength(length: string): string {
  return JSON_NUMBER.test(length) ? length : quote(length)
}

/** Always three decimals, put together from integers: a third of what printing the double costs. */
function millis(ms: number): string {
  const micros = ms > 0 ? Math.round(ms * 1000) : 0
  const whole = Math.floor(micros / 1000)
  return `${whole}.${threeDigits(micros - whole * 1000)}`
}

/**
 * Of what a client chose and nobody has checked, all fields together, a record holds this much as written. Escaping may make
 * six bytes of one, and 64 KiB of them would drive other people's records out of a log that is slow.
 */
const MAX_UNCHECKED_BYTES = 2_048
/** No method and no length that means anything is longer; these hold for everybody, upstreams too. */
const MAX_METHOD_BYTES = 128
const MAX_LENGTH_BYTES = 64

/** What is left for the target. Google Cloud's lines have target and method twice. */
function maxUncheckedUrlBytes(times: 1 | 2): number {
  return (MAX_UNCHECKED_BYTES - MAX_LENGTH_BYTES) / times - MAX_METHOD_BYTES
}

/** Whoever has found no upstream has shown no key, or one that leads nowhere. A request that has one keeps its whole target. */
function shownUrl(r: RequestRecord, keys: Snapshot['keys'], maxUncheckedBytes: number): string {
  return r.upstream === undefined
    ? cutToFit(redactUnchecked(r.requestUrl, keys), maxUncheckedBytes)
    : redactTarget(r.requestUrl, keys)
}

function shownMethod(r: RequestRecord, keys: Snapshot['keys']): string {
  return r.upstream === undefined ? redactMethod(r.method, keys) : r.method
}

/** A field whose value is mostly that of the record before: it is escaped and put behind its label once. */
function recurring(before: string, format: (value: string) => string): (value: string) => string {
  let last = ''
  let written = before + format(last)
  return (value) => {
    if (value !== last) {
      last = value
      written = before + format(value)
    }
    return written
  }
}

/** Google Cloud's HttpRequest: it shows these members beside the message. Its sizes count heads as well, which nobody has counted here. */
function httpRequest(r: RequestRecord, keys: Snapshot['keys'], url: string): string {
  const method = quote(cutToFit(shownMethod(r, keys), MAX_METHOD_BYTES))
  let member = `,"httpRequest":{"requestMethod":${method},"requestUrl":${url}`
  if (r.status !== undefined) member += `,"status":${r.status}`
  if (r.clientIp !== undefined) member += `,"remoteIp":${quote(r.clientIp)}`
  if (r.upstreamAddress !== undefined) member += `,"serverIp":${quote(r.upstreamAddress)}`
  return `${member},"latency":"${seconds(r.durationMs)}s"}`
}

/** A Duration of protobuf: no digit of its fraction may be left out. */
function seconds(ms: number): string {
  return (ms > 0 ? ms / 1000 : 0).toFixed(6)
}

/** The line of a record, its line end included. */
export type RecordFormatter = (record: RequestRecord, snapshot: Snapshot) => string

/** The fields of what was used, as `createRecordFormatter` has the others. */
function usageFormatter(
  label: ReturnType<typeof labels>,
  text: (value: string) => string,
): (usage: RecordUsage) => string {
  const model = recurring(label.model, text)
  const usage = recurring(label.usage, text)
  return (u) => {
    let part = ''
    if (u.model !== undefined) part += model(u.model)
    if (u.requestModel !== undefined) part += label.request_model + text(u.requestModel)
    if (u.inputTokens !== undefined) part += label.input_tokens + u.inputTokens
    if (u.cachedTokens !== undefined) part += label.cached_tokens + u.cachedTokens
    if (u.cacheWriteTokens !== undefined) part += label.cache_write_tokens + u.cacheWriteTokens
    if (u.outputTokens !== undefined) part += label.output_tokens + u.outputTokens
    if (u.reasoningTokens !== undefined) part += label.reasoning_tokens + u.reasoningTokens
    if (u.costUsd !== undefined) part += label.cost_usd + u.costUsd
    part += usage(u.usage)
    return u.ttftMs === undefined ? part : part + label.ttft_ms + millis(u.ttftMs)
  }
}

/**
 * There is one of these lines for every request and it is on by default, so the fields are spelled out: 0.45 µs a line,
 * where a loop over the list needs 1.1 µs (its property loads and concatenations see every type).
 */
export function createRecordFormatter(settings: LogSettings): RecordFormatter {
  const json = settings.format !== 'text'
  const start = json ? '{"time":"' : ''
  const head = lineHead(settings, 'trace', RECORD_MESSAGE)
  const warnHead = lineHead(settings, 'warn', RECORD_MESSAGE)
  const end = json ? '}\n' : '\n'
  const isGcp = settings.format === 'gcp'
  const maxUrlBytes = maxUncheckedUrlBytes(isGcp ? 2 : 1)
  const text = json ? quote : textValue
  const lengthText = json ? jsonLength : textValue
  const length = (value: string): string => lengthText(cutToFit(value, MAX_LENGTH_BYTES))
  const label = labels(json)
  const clientIp = recurring(label.client_ip, text)
  const peerIp = recurring(label.peer_ip, text)
  const method = recurring(label.method, text)
  const apiKey = recurring(label.api_key, text)
  const upstream = recurring(label.upstream, text)
  const outcome = recurring(label.outcome, text)
  const upstreamAddress = recurring(label.upstream_address, text)
  const used = usageFormatter(label, text)

  /** Who asked for what. */
  function asked(r: RequestRecord, url: string, keys: Snapshot['keys']): string {
    let part = ''
    if (r.clientIp !== undefined) part += clientIp(r.clientIp)
    if (r.peerIp !== undefined) part += peerIp(r.peerIp)
    return part + method(cutToFit(shownMethod(r, keys), MAX_METHOD_BYTES)) + label.request_url + url
  }

  /** Whose key it was, and where the request went. */
  function sent(r: RequestRecord, keys: Snapshot['keys']): string {
    let part = ''
    if (r.apiKey !== undefined) part += apiKey(r.apiKey)
    if (r.subject !== undefined) part += label.subject + text(r.subject)
    if (r.clientCertificate !== undefined) part += label.client_cert + text(r.clientCertificate)
    if (r.targetUrl !== undefined) part += label.target_url + text(redactTarget(r.targetUrl, keys))
    if (r.upstream !== undefined) part += upstream(r.upstream)
    return part + label.duration_ms
  }

  function became(r: RequestRecord): string {
    let part = millis(r.durationMs)
    if (r.status !== undefined) part += label.status + r.status
    if (r.responseBodyLength !== undefined) part += label.response_body_length + length(r.responseBodyLength)
    part += label.request_bytes + r.requestBytes + label.response_bytes + r.responseBytes
    if (r.ttfbMs !== undefined) part += label.ttfb_ms + millis(r.ttfbMs)
    part += outcome(r.outcome)
    if (r.error !== undefined) part += label.error + text(r.error)
    if (r.upstreamAddress !== undefined) part += upstreamAddress(r.upstreamAddress)
    if (r.requestId !== undefined) part += label.request_id + text(r.requestId)
    if (r.cause !== undefined) part += label.cause + text(r.cause)
    return r.usage === undefined ? part : part + used(r.usage)
  }

  return (r, { keys }) => {
    const level = r.level === 'warn' ? warnHead : head
    const bodyLength = r.requestBodyLength === undefined ? '' : label.request_body_length + length(r.requestBodyLength)
    // Google Cloud's lines repeat what a memo has in its parts.
    const memo = isGcp ? undefined : r.memo
    if (memo !== undefined) {
      if (memo.before === '') {
        memo.before = ownText(asked(r, text(shownUrl(r, keys, maxUrlBytes)), keys))
        memo.between = ownText(sent(r, keys))
      }
      return start + timestamp(r.endedAtMs) + level + memo.before + bodyLength + memo.between + became(r) + end
    }
    const url = text(shownUrl(r, keys, maxUrlBytes))
    const line = start + timestamp(r.endedAtMs) + level + asked(r, url, keys) + bodyLength + sent(r, keys) + became(r)
    return line + (isGcp ? httpRequest(r, keys, url) : '') + end
  }
}

/** Writes the record of an exchange whose level is enabled, and does nothing for any other. */
export function createRecordWriter(
  settings: LogSettings,
  write: (line: string) => void,
): (record: RequestRecord, snapshot: Snapshot) => void {
  if (!isLevelEnabled(settings, 'warn')) return () => {}
  const format = createRecordFormatter(settings)
  if (!isLevelEnabled(settings, 'trace')) {
    return (record, snapshot) => {
      if (record.level === 'warn') write(format(record, snapshot))
    }
  }
  return (record, snapshot) => write(format(record, snapshot))
}
