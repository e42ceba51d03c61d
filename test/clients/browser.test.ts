/** A page in a browser that uses the official client, over a gateway of another origin. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { STAND_IN_KEY, startStandIn } from '../../src/tools/stand-in/stand-in.ts'
import { CLIENT_KEY, startGateway } from '../support/gateway.ts'

const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome'].find(
  (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
)
const MODULES = fileURLToPath(new URL('../../node_modules/', import.meta.url))

/** What the page tells of itself. */
interface Told {
  readonly streamed?: string
  readonly pieces?: number
  readonly refusal?: { readonly status: number; readonly code: string; readonly field: string }
  readonly error?: string
}

const page = (baseUrl: string): string => `<!doctype html><script type="module">
import OpenAI from '/modules/openai/index.mjs'
const tell = (told) => fetch('/told', { method: 'POST', body: JSON.stringify(told) })
try {
  const options = { baseURL: '${baseUrl}', dangerouslyAllowBrowser: true, maxRetries: 0 }
  const client = new OpenAI({ ...options, apiKey: '${CLIENT_KEY}' })
  const messages = [{ role: 'user', content: 'hello from a page' }]
  const stream = await client.chat.completions.create({ model: 'stand-in-1', messages, stream: true })
  let streamed = ''
  let pieces = 0
  for await (const chunk of stream) {
    streamed += chunk.choices[0]?.delta?.content ?? ''
    pieces++
  }
  const refusal = await new OpenAI({ ...options, apiKey: 'wrong' }).models.list().then(
    () => ({}),
    (error) => ({ status: error.status, code: error.code, field: error.headers?.get('x-fluxgate-error') }),
  )
  await tell({ streamed, pieces, refusal })
} catch (error) {
  await tell({ error: String(error) })
}
</script>`

/** Serves the page and the client's modules, as an application's own server does. */
class Site implements AsyncDisposable {
  readonly #told = Promise.withResolvers<Told>()
  html = ''
  readonly #server = http.createServer(async (request, response) => {
    const { pathname } = new URL(request.url!, 'http://a')
    if (pathname === '/told') {
      let text = ''
      for await (const chunk of request) text += chunk
      response.end()
      this.#told.resolve(JSON.parse(text) as Told)
    } else if (pathname.startsWith('/modules/')) {
      response.setHeader('Content-Type', 'text/javascript')
      createReadStream(path.join(MODULES, pathname.slice('/modules/'.length)))
        .on('error', () => response.writeHead(404).end())
        .pipe(response)
    } else response.setHeader('Content-Type', 'text/html').end(this.html)
  })

  async open(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** What the page says once it has run in the browser. */
  async visit(url: string): Promise<Told> {
    const profile = mkdtempSync(path.join(tmpdir(), 'fluxgate-browser-'))
    const browser = spawn(
      CHROMIUM!,
      ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', `--user-data-dir=${profile}`, url],
      { stdio: 'ignore' },
    )
    const exited = once(browser, 'exit')
    try {
      return await Promise.race([
        this.#told.promise,
        exited.then(([code]): Told => ({ error: `the browser has gone: ${code}` })),
      ])
    } finally {
      browser.kill('SIGKILL')
      await exited
      rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

const skip = CHROMIUM === undefined ? 'needs Chromium (the package of that name in Debian)' : false

for (const [what, isLetIn] of [
  ['that is let in streams a chat, and reads what a refusal is', true],
  ['that is not let in sees nothing', false],
] as const) {
  test(`a page ${what}`, { skip }, async () => {
    const standIn = await startStandIn({ tokenDelayMs: 5 })
    await using site = new Site()
    const origin = await site.open()
    await using gateway = await startGateway({
      server: { cors: { allow_origins: [isLetIn ? origin : 'https://app.example'] } },
      upstreams: {
        openai: { request_path: '/openai', target_url: `http://127.0.0.1:${standIn.port}`, api_key: STAND_IN_KEY },
      },
    })
    site.html = page(`${gateway.url}/openai/v1`)
    const told = await site.visit(origin)
    await standIn.close()
    if (!isLetIn) {
      assert.match(told.error ?? '', /Connection error/)
      // Its record may be a moment behind its answer.
      const preflight = await gateway.waitForRecord()
      assert.deepEqual([preflight.method, preflight.status], ['OPTIONS', 401])
      return
    }
    assert.equal(told.error, undefined)
    assert.match(told.streamed ?? '', /hello from a page/)
    assert.ok(told.pieces! > 3)
    assert.deepEqual(told.refusal, { status: 401, code: 'fluxgate_unauthorized', field: 'fluxgate_unauthorized' })
    await gateway.until(() => gateway.records().length >= 4, 'all records')
    const seen = gateway.records().map(({ method, status }) => `${method} ${status}`)
    assert.deepEqual(seen.sort(), ['GET 401', 'OPTIONS 204', 'OPTIONS 204', 'POST 200'])
  })
}
