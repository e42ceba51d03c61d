import { CLIENT_KEY, type ConfigObject, PROVIDER_KEY } from './gateway.ts'
import type { Origin } from './origin.ts'

const head = (line: string, lines: readonly string[]): string =>
  [line, 'Host: gateway.test', `Authorization: Bearer ${CLIENT_KEY}`, ...lines, '', ''].join('\r\n')

/** The bytes of a GET with the client's key and, after it, the given field lines. */
export function get(target: string, ...lines: string[]): string {
  return head(`GET ${target} HTTP/1.1`, lines)
}

/** The bytes of a POST with the client's key, the content (latin-1) and its length. */
export function post(target: string, content: string, ...lines: string[]): string {
  return head(`POST ${target} HTTP/1.1`, [...lines, `Content-Length: ${content.length}`]) + content
}

/** The bytes of a chunked POST's head; its body is up to the test. */
export function postChunked(target: string, ...lines: string[]): string {
  return head(`POST ${target} HTTP/1.1`, [...lines, 'Transfer-Encoding: chunked'])
}

/** The bytes of a response with this content (latin-1) and its length. */
export function ok(content: string, ...lines: string[]): string {
  return ['HTTP/1.1 200 OK', ...lines, `Content-Length: ${content.length}`, '', content].join('\r\n')
}

/** Configuration: `/up` leads to the origin's root; `more` is added to that upstream. */
export function upTo(origin: Origin, more: ConfigObject = {}): ConfigObject {
  return { upstreams: { up: { request_path: '/up', target_url: origin.url, api_key: PROVIDER_KEY, ...more } } }
}
