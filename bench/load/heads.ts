/**
 * Requests as clients send them, as many different ones as it takes. A gateway may keep what it made of a head; who sends the
 * same head each time praises it for a load that nobody has.
 */
import type { Target } from './request.ts'

/** How the heads of one client differ from one request to the next. */
export type Variation = keyof typeof VARIATIONS

export const VARIATIONS = {
  repeated: 'the same each time',
  length: 'only the digits of Content-Length differ',
  field: 'one field differs (traceparent)',
  sdk: 'four SDKs, the content and its length differ',
} as const

/** So many different ones are sent in turn: more than a cache of heads would hold. */
const DIFFERENT = 4096
/** Content lengths of three digits each, so that nothing else of the head moves. */
const LENGTHS = { least: 130, most: 970 } as const

const CREDENTIAL = 'authorization: '
const LENGTH = 'content-length: '

/** As they were received, but for key, host and length, which are put in. */
const OPENAI_JS = `host: localhost
connection: keep-alive
accept: application/json
user-agent: OpenAI/JS 7.57.0
x-stainless-retry-count: 0
x-stainless-lang: js
x-stainless-package-version: 7.57.0
x-stainless-os: Linux
x-stainless-arch: x64
x-stainless-runtime: node
x-stainless-runtime-version: v26.10.0
${CREDENTIAL}
content-type: application/json
accept-language: *
sec-fetch-mode: cors
accept-encoding: gzip, deflate
${LENGTH}`

const ANTHROPIC_JS = `host: localhost
connection: keep-alive
Accept: application/json
User-Agent: Anthropic/JS 1.12.0
X-Stainless-Retry-Count: 0
X-Stainless-Timeout: 600
X-Stainless-Lang: js
X-Stainless-Package-Version: 1.12.0
X-Stainless-OS: Linux
X-Stainless-Arch: x64
X-Stainless-Runtime: node
X-Stainless-Runtime-Version: v26.10.0
anthropic-version: 2026-10-21
${CREDENTIAL}
content-type: application/json
accept-language: *
sec-fetch-mode: cors
accept-encoding: gzip, deflate
${LENGTH}`

/** Those in Python send through httpx, which has an order and a spelling of its own. */
const OPENAI_PYTHON = `Host: localhost
Accept-Encoding: gzip, deflate, br, zstd
Connection: keep-alive
Accept: application/json
Content-Type: application/json
User-Agent: OpenAI/Python 2.14.0
X-Stainless-Lang: python
X-Stainless-Package-Version: 2.14.0
X-Stainless-OS: Linux
X-Stainless-Arch: x64
X-Stainless-Runtime: CPython
X-Stainless-Runtime-Version: 3.13.5
${CREDENTIAL}
X-Stainless-Async: false
x-stainless-retry-count: 0
x-stainless-read-timeout: 600
${LENGTH}`

const ANTHROPIC_PYTHON = `Host: localhost
Accept-Encoding: gzip, deflate, br, zstd
Connection: keep-alive
Accept: application/json
Content-Type: application/json
User-Agent: Anthropic/Python 0.75.0
X-Stainless-Lang: python
X-Stainless-Package-Version: 0.75.0
X-Stainless-OS: Linux
X-Stainless-Arch: x64
X-Stainless-Runtime: CPython
X-Stainless-Runtime-Version: 3.13.5
${CREDENTIAL}
X-Stainless-Async: false
anthropic-version: 2023-06-01
x-stainless-retry-count: 0
x-stainless-timeout: 600
${LENGTH}`

const SDKS = [OPENAI_JS, ANTHROPIC_JS, OPENAI_PYTHON, ANTHROPIC_PYTHON] as const

/** What a client without an SDK sends. */
const PLAIN = `Host: localhost
${CREDENTIAL}
Content-Type: application/json
Accept: application/json
User-Agent: OpenAI/JS
X-Stainless-Lang: js
X-Stainless-Runtime: node
${LENGTH}`

/** Whole requests, to be sent in turn. Of four neighbours each is another SDK's, so that a client of every fourth has one of them. */
export function requestsOf(target: Target, variation: Variation, contentBytes: number): Buffer[] {
  const count = variation === 'repeated' ? 1 : DIFFERENT
  return Array.from({ length: count }, (_, nth) => request(target, variation, nth, contentBytes))
}

function request({ path, headers }: Target, variation: Variation, nth: number, contentBytes: number): Buffer {
  const content = contentOf(variation === 'length' || variation === 'sdk' ? lengthOf(nth) : contentBytes)
  const head = (variation === 'sdk' ? SDKS[nth % SDKS.length]! : PLAIN)
    .replace(CREDENTIAL, headers.join('\n'))
    .replace(LENGTH, (name) => `${variation === 'field' ? `${traceparent(nth)}\n` : ''}${name}${content.length}`)
  return Buffer.from(`POST ${path} HTTP/1.1\n${head}\n\n`.replaceAll('\n', '\r\n') + content, 'latin1')
}

/** Neighbours are far apart, and a client of every nth one meets all of them. */
function lengthOf(nth: number): number {
  const { least, most } = LENGTHS
  return least + ((nth * 7919 + (nth >> 6)) % (most - least))
}

function contentOf(length: number): string {
  const [before, after] = ['{"model":"gpt-4o-mini","stream":false,"messages":[{"role":"user","content":"', '"}]}']
  return before + 'x'.repeat(length - before.length - after.length) + after
}

/** As of https://www.w3.org/TR/trace-context/: every octet of both ids differs from one request to the next. */
function traceparent(nth: number): string {
  const digits = (seed: number): string => ((nth + 1) * seed).toString(16).padStart(16, '0').slice(-16)
  return `traceparent: 00-${digits(0x9e3779b97f4a)}${digits(0x85ebca6b3f21)}-${digits(0xc2b2ae3d27d4)}-01`
}
