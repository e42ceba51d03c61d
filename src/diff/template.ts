import type { CredentialPlace } from '../config/snapshot.ts'
import { nameOf } from './message.ts'

/**
 * One request, to be sent twice: as a client without any gateway would send it to the provider, and as it is sent to the
 * gateway. The two differ in three places only: the target's prefix, `{host}` and `{key}`.
 */
export interface RequestTemplate {
  readonly method: string
  /** Path and query after the prefix, or after the base path of the target URL. */
  readonly path: string
  /** Field lines (latin-1), with `{host}` and `{key}` where the authority and the credential stand. */
  readonly lines: readonly string[]
  /** The message body as it goes over the wire. Before each further piece the other end must have all that went before. */
  readonly body: readonly Buffer[]
}

export interface RenderedRequest {
  readonly method: string
  readonly head: Buffer
  readonly body: readonly Buffer[]
  /** The body waits for a 100. */
  readonly expectsContinue: boolean
}

/** What the configuration says about an upstream, as far as a request to it goes. */
export interface UpstreamFacts {
  readonly prefix: string
  readonly basePath: string
  /** What `Host` says to it. */
  readonly authority: string
  readonly apiKey: string | undefined
  readonly credential: CredentialPlace
}

/** Where requests go to reach the gateway. */
export interface GatewayFacts {
  /** The path of its URL, if it stands behind another proxy; without a trailing slash. */
  readonly basePath: string
  readonly authority: string
  /** Undefined: it lets everybody in. */
  readonly key: string | undefined
}

const KEY = '{key}'

/** The request as a client of the gateway sends it. */
export function renderForGateway(template: RequestTemplate, upstream: UpstreamFacts, gateway: GatewayFacts) {
  const { key } = gateway
  const lines = key === undefined ? withoutKey(template.lines) : fill(template.lines, KEY, key)
  return render(template, gateway.basePath + upstream.prefix, gateway.authority, lines)
}

/** The request as it would be without a gateway: the provider's key stands where the gateway is to put it. */
export function renderStraight(template: RequestTemplate, upstream: UpstreamFacts, gatewayKey: string | undefined) {
  const sent = gatewayKey === undefined ? markOwnCredential(withoutKey(template.lines)) : template.lines
  return render(template, upstream.basePath, upstream.authority, withProviderKey(sent, upstream))
}

function render(
  { method, path, body }: RequestTemplate,
  before: string,
  authority: string,
  lines: readonly string[],
): RenderedRequest {
  const joined = before + path
  const target = joined.startsWith('/') ? joined : `/${joined}`
  const head = [`${method} ${target} HTTP/1.1`, ...fill(lines, '{host}', authority), '', ''].join('\r\n')
  const expectsContinue = lines.some((line) => /^expect:[\t ]*100-continue[\t ]*$/i.test(line))
  return { method, head: Buffer.from(head, 'latin1'), body, expectsContinue }
}

function withoutKey(lines: readonly string[]): string[] {
  return lines.filter((line) => !line.includes(KEY))
}

/** An anonymous client may send a credential all the same, as some SDKs insist on one: the provider's takes its place. */
function markOwnCredential(lines: readonly string[]): readonly string[] {
  for (const canonical of Object.values(FIELD_LINES)) {
    const index = lines.findIndex((line) => nameOf(line) === nameOf(canonical))
    if (index === -1 || (nameOf(canonical) === 'authorization' && !/^[^:]*:[\t ]*bearer /i.test(lines[index]!)))
      continue
    return lines.with(index, keyedLine(lines[index]!, canonical))
  }
  return lines
}

function fill(lines: readonly string[], placeholder: string, value: string): string[] {
  const bytes = Buffer.from(value).toString('latin1')
  return lines.map((line) => line.replaceAll(placeholder, () => bytes))
}

const FIELD_LINES = {
  bearer: 'Authorization: Bearer {key}',
  'x-api-key': 'x-api-key: {key}',
  'api-key': 'api-key: {key}',
  'x-goog-api-key': 'x-goog-api-key: {key}',
} as const

/** The rules of the user guide (authentication.md), written down a second time: the gateway is to be held to them. */
function withProviderKey(lines: readonly string[], { apiKey, credential }: UpstreamFacts): string[] {
  if (credential === 'pass' || apiKey === undefined || apiKey === '') return withoutKey(lines)
  const carrier = lines.findIndex((line) => line.includes(KEY) && nameOf(line) !== 'x-fluxgate-key')
  const authorization = lines.findIndex((line) => nameOf(line) === 'authorization')
  const slot = carrier === -1 ? authorization : carrier
  const carried = slot === -1 ? 'authorization' : nameOf(lines[slot]!)
  const canonical = credential === 'swap' ? canonicalLine(carried) : FIELD_LINES[credential]
  const standing = lines.findIndex((line) => nameOf(line) === nameOf(canonical))
  const place = slot !== -1 && carried === nameOf(canonical) ? slot : standing === -1 ? slot : standing
  const placed = lines.map((line, index) => (index === place ? keyedLine(line, canonical) : line))
  const kept = placed.filter((line, index) => index === place || (index !== slot && !line.includes(KEY)))
  return fill(place === -1 ? [...kept, canonical] : kept, KEY, apiKey)
}

function canonicalLine(name: string): string {
  return Object.values(FIELD_LINES).find((line) => nameOf(line) === name) ?? FIELD_LINES.bearer
}

/** The line with the key in it: in its own spelling, if it is the right field. */
function keyedLine(line: string, canonical: string): string {
  if (nameOf(line) !== nameOf(canonical)) return canonical
  if (line.includes(KEY)) return line
  const before = /^[^:]*:[\t ]*/.exec(line)![0]
  const scheme = /^bearer +/i.exec(line.slice(before.length))?.[0] ?? 'Bearer '
  return `${before}${nameOf(line) === 'authorization' ? scheme : ''}${KEY}`
}
