import { CLIENT_KEY, type ConfigObject, PROVIDER_KEY } from './gateway.ts'
import { type Origin, type OriginRequest, startOrigin } from './origin.ts'
import { latin1 } from './raw-client.ts'
import { CODINGS, piecesOf } from './usage-codings.ts'
import { answerOf, bytesOf, type UsageCase, usageCases } from './usage-vectors.ts'

/** How an answer is framed; `gzip` is chunked. */
export const WAYS = ['length', 'chunked', 'close', 'gzip'] as const
export type Way = (typeof WAYS)[number]

const CHUNKED = 'Transfer-Encoding: chunked\r\n'

/** All providers of the vectors in one: a request says in its query which exchange it wants. */
export class UsageOrigin implements AsyncDisposable {
  readonly origin: Origin
  /** Content of the last answer. */
  sent: Buffer[] = []

  private constructor(origin: Origin) {
    this.origin = origin
  }

  static async start(): Promise<UsageOrigin> {
    const started = new UsageOrigin(await startOrigin(''))
    started.origin.answer = (request) => {
      const [, id, way] = /fgcase=([^&]*)&way=(\w+)/.exec(request.target)!
      return started.#play(usageCases.find((one) => one.id === decodeURIComponent(id!))!, way as Way, request)
    }
    return started
  }

  /** An upstream for each provider. */
  get config(): ConfigObject {
    const names = new Set(usageCases.map(({ upstream }) => upstream))
    const upstreams = [...names].map((name) => [
      name,
      { request_path: `/${name}`, target_url: this.origin.url, api_key: PROVIDER_KEY },
    ])
    return { upstreams: Object.fromEntries(upstreams) }
  }

  async #play(one: UsageCase, way: Way, { connection }: OriginRequest): Promise<void> {
    this.sent = []
    const fields = (one.fields ?? []).map(([name, value]) => `${name}: ${value}\r\n`).join('')
    const coding = way === 'gzip' ? 'Content-Encoding: gzip\r\n' : ''
    const framing = way === 'length' ? `Content-Length: ${answerOf(one).length}\r\n` : way === 'close' ? '' : CHUNKED
    const hasBody = one.status !== 204
    await connection.write(`HTTP/1.1 ${one.status} Said\r\n${fields}${coding}${hasBody ? framing : ''}\r\n`)
    if (hasBody) {
      for (const piece of way === 'gzip' ? await CODINGS.gzip(piecesOf(one)) : piecesOf(one)) {
        if (piece.length === 0) continue
        this.sent.push(piece)
        await connection.write(framing === CHUNKED ? chunk(piece) : piece)
        await new Promise(setImmediate)
      }
      if (framing === CHUNKED) await connection.write('0\r\n\r\n')
    }
    if (way === 'close') await connection.fin()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.origin[Symbol.asyncDispose]()
  }
}

function chunk(piece: Buffer): Buffer {
  return Buffer.concat([latin1(`${piece.length.toString(16)}\r\n`), piece, latin1('\r\n')])
}

/** The request of an exchange, and the end of its target. */
export function requestFor(one: UsageCase, way: Way): { readonly bytes: Buffer; readonly mark: string } {
  const mark = `fgcase=${encodeURIComponent(one.id)}&way=${way}`
  const target = `/${one.upstream}${one.target}${one.target.includes('?') ? '&' : '?'}${mark}`
  const content = bytesOf(one.request)
  const tagged = (one.tags ?? []).filter((tag) => tag.startsWith('reqfield: '))
  const lines = [
    `${one.method} ${target} HTTP/1.1`,
    'Host: gateway.test',
    `Authorization: Bearer ${CLIENT_KEY}`,
    ...(one.request_type === undefined ? [] : [`Content-Type: ${one.request_type}`]),
    ...tagged.map((tag) => tag.slice('reqfield: '.length)),
    ...(one.request === undefined ? [] : [`Content-Length: ${content.length}`]),
  ]
  return { bytes: Buffer.concat([latin1(`${lines.join('\r\n')}\r\n\r\n`), content]), mark }
}
