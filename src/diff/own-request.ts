import type { Upstream } from '../config/snapshot.ts'
import { nameOf } from './message.ts'
import type { RequestTemplate } from './template.ts'

/** The request that somebody asked for on the command line, with what a request cannot do without. */

export interface RequestWish {
  readonly method: string | undefined
  readonly path: string | undefined
  /** Field lines, latin-1. */
  readonly lines: readonly string[]
  readonly content: Buffer | undefined
}

export function templateOf(wish: RequestWish, upstream: Pick<Upstream, 'credential' | 'target'>): RequestTemplate {
  const { content, lines } = wish
  const names = new Set(lines.map(nameOf))
  const hasKey = lines.some((line) => line.includes('{key}'))
  const isChunked = names.has('transfer-encoding')
  const before = [
    'Host: {host}',
    ...(hasKey ? [] : credentialLines(upstream)),
    'User-Agent: fluxgate-diff',
    'Accept: */*',
    ...(content === undefined ? [] : ['Content-Type: application/json']),
  ].filter((line) => !names.has(nameOf(line)))
  const after = content === undefined || isChunked || names.has('content-length') ? [] : [lengthLine(content)]
  return {
    method: wish.method ?? (content === undefined ? 'GET' : 'POST'),
    path: wish.path ?? defaultPath(upstream.target.basePath),
    lines: [...before, ...lines, ...after],
    body: content === undefined ? [] : [isChunked ? inChunks(content) : content],
  }
}

function lengthLine(content: Buffer): string {
  return `Content-Length: ${content.length}`
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
function credentialLines({ credential, target }: Pick<Upstream, 'credential' | 'target'>): string[] {
  if (credential === 'pass') return ['x-fluxgate-key: {key}']
  const version = target.host === 'api.anthropic.com' ? ['anthropic-version: 2023-06-01'] : []
  const field = credential === 'swap' ? usualField(target.host) : credential
  return [field === 'bearer' ? 'Authorization: Bearer {key}' : `${field}: {key}`, ...version]
}

function usualField(host: string): 'bearer' | 'x-api-key' | 'api-key' | 'x-goog-api-key' {
  if (host === 'api.anthropic.com') return 'x-api-key'
  if (host === 'generativelanguage.googleapis.com') return 'x-goog-api-key'
  return /\.(?:openai\.azure|cognitiveservices\.azure)\.com$/.test(host) ? 'api-key' : 'bearer'
}
