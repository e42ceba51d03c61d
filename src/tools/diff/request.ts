import type { UpstreamSettings } from '../../config/settings.ts'
import type { OwnField, Target } from '../../config/snapshot.ts'
import type { FieldChanges } from '../../http/field-rules.ts'
import { fieldOf, isOwnBusiness } from '../../http/fields.ts'
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
export type Route = Pick<UpstreamSettings, 'prefix' | 'target' | 'apiKey' | 'credential' | 'fields'>

const KEY = '{key}'

/** Of the gateway; undefined: it lets everybody in. */
type Key = string | undefined

/** The request as a client of the gateway sends it. */
export function renderForGateway(
  template: RequestTemplate,
  { prefix }: Route,
  gateway: Pick<Target, 'authority' | 'basePath'>,
  key: Key,
): RenderedRequest {
  const lines = key === undefined ? withoutKey(template.lines) : fill(template.lines, KEY, key)
  return render(template, gateway.basePath + prefix, gateway.authority, lines)
}

/** The request as it would be without a gateway: the provider's key stands where the gateway is to put it. */
export function renderStraight(template: RequestTemplate, route: Route, key: Key): RenderedRequest {
  const sent = key === undefined ? markOwnCredential(withoutKey(template.lines)) : template.lines
  const changed = route.fields === undefined ? sent : withChanges(sent, route.fields)
  return render(template, route.target.basePath, route.target.authority, withProviderKey(changed, route))
}

/** What the operator wants removed and set, fields with the key apart. */
function withChanges(lines: readonly string[], { remove, set }: FieldChanges): readonly string[] {
  const isRemoved = (name: string): boolean =>
    remove.some((each) => (each.endsWith('*') ? name.startsWith(each.slice(0, -1)) : name === each))
  const left = new Map(set.map((field) => [field.name.toLowerCase(), `${field.name}: ${field.value}`]))
  const names = new Set(left.keys())
  const kept = lines.flatMap((line) => {
    const name = nameOf(line)
    const own = left.get(name)
    if (names.has(name)) {
      left.delete(name)
      return own ?? []
    }
    const isOurs = line.includes(KEY) || isOwnBusiness(fieldOf(name, 0, name.length), name)
    return isOurs || !isRemoved(name) ? line : []
  })
  return [...kept, ...left.values()]
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
function withProviderKey(lines: readonly string[], { apiKey, credential }: Route): string[] {
  if (credential === 'pass' || apiKey === undefined || apiKey === '') return withoutKey(lines)
  const carrier = lines.findIndex((line) => line.includes(KEY) && nameOf(line) !== 'x-fluxgate-key')
  const authorization = lines.findIndex((line) => nameOf(line) === 'authorization')
  const slot = carrier === -1 ? authorization : carrier
  const carried = slot === -1 ? 'authorization' : nameOf(lines[slot]!)
  const canonical = credential === 'swap' ? canonicalLine(carried) : canonicalOf(credential)
  const standing = lines.findIndex((line) => nameOf(line) === nameOf(canonical))
  const place = slot !== -1 && carried === nameOf(canonical) ? slot : standing === -1 ? slot : standing
  const isOwn = typeof credential === 'object'
  const keyed = (line: string): string => (isOwn ? ownKeyedLine(line, canonical) : keyedLine(line, canonical))
  const placed = lines.map((line, index) => (index === place ? keyed(line) : line))
  const kept = placed.filter((line, index) => index === place || (index !== slot && !line.includes(KEY)))
  return fill(place === -1 ? [...kept, canonical] : kept, KEY, apiKey)
}

function canonicalOf(place: keyof typeof FIELD_LINES | OwnField): string {
  if (typeof place === 'string') return FIELD_LINES[place]
  return `${place.field}: ${place.scheme === '' ? '' : `${place.scheme} `}${KEY}`
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

/** The same for a field of the operator's choice: another scheme than its own makes way. */
function ownKeyedLine(line: string, canonical: string): string {
  if (nameOf(line) !== nameOf(canonical)) return canonical
  const [before] = /^[^:]*:[\t ]*/.exec(line)!
  const wanted = canonical.slice(canonical.indexOf(': ') + 2)
  const scheme = wanted.slice(0, -KEY.length)
  const given = line.slice(before.length)
  const isItsScheme = scheme === '' || given.toLowerCase().startsWith(scheme.toLowerCase())
  return before + (isItsScheme ? `${scheme === '' ? '' : /^\S+ +/.exec(given)![0]}${KEY}` : wanted)
}

/** What somebody asked for on the command line. */
export interface RequestWish {
  readonly method: string | undefined
  readonly path: string | undefined
  /** Field lines, latin-1. */
  readonly lines: readonly string[]
  readonly content: Buffer | undefined
}

/** The request that was wished for, with what a request cannot do without. */
export function templateOf(wish: RequestWish, route: Pick<Route, 'credential' | 'target'>): RequestTemplate {
  const { content, lines } = wish
  const names = new Set(lines.map(nameOf))
  const hasKey = lines.some((line) => line.includes('{key}'))
  const isChunked = names.has('transfer-encoding')
  const before = [
    'Host: {host}',
    ...(hasKey ? [] : credentialLines(route)),
    'User-Agent: fluxgate-diff',
    'Accept: */*',
    ...(content === undefined ? [] : ['Content-Type: application/json']),
  ].filter((line) => !names.has(nameOf(line)))
  const hasLength = content !== undefined && !isChunked && !names.has('content-length')
  const after = hasLength ? [`Content-Length: ${content.length}`] : []
  return {
    method: wish.method ?? (content === undefined ? 'GET' : 'POST'),
    path: wish.path ?? defaultPath(route.target.basePath),
    lines: [...before, ...lines, ...after],
    body: content === undefined ? [] : [isChunked ? inChunks(content) : content],
  }
}

function inChunks(content: Buffer): Buffer {
  const last = Buffer.from('0\r\n\r\n')
  if (content.length === 0) return last
  return Buffer.concat([Buffer.from(`${content.length.toString(16)}\r\n`), content, Buffer.from('\r\n'), last])
}

/** Every provider has a list of its models, it costs nothing, and it stays the same for a while. */
function defaultPath(basePath: string): string {
  return /\/v\d\w*$/.test(basePath) ? '/models' : '/v1/models'
}

/** Where the provider wants its key: what the configuration says, or, if it leaves that to the client, what its clients do. */
function credentialLines({ credential, target }: Pick<Route, 'credential' | 'target'>): string[] {
  if (credential === 'pass') return ['x-fluxgate-key: {key}']
  const version = target.host === 'api.anthropic.com' ? ['anthropic-version: 2023-06-01'] : []
  if (typeof credential === 'object') return [canonicalOf(credential)]
  const field = credential === 'swap' ? usualField(target.host) : credential
  return [field === 'bearer' ? 'Authorization: Bearer {key}' : `${field}: {key}`, ...version]
}

function usualField(host: string): 'bearer' | 'x-api-key' | 'api-key' | 'x-goog-api-key' {
  if (host === 'api.anthropic.com') return 'x-api-key'
  if (host === 'generativelanguage.googleapis.com') return 'x-goog-api-key'
  return /\.(?:openai\.azure|cognitiveservices\.azure)\.com$/.test(host) ? 'api-key' : 'bearer'
}
