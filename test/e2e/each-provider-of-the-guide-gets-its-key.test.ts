import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { parse } from 'yaml'
import { CLIENT_KEY, type ConfigObject, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { blocksOf, readPage } from '../support/pages.ts'
import { exchange } from '../support/raw-client.ts'

// The configurations are those of the guide, but for the authority of their targets: a recording origin stands there.

type Upstream = ConfigObject & { readonly request_path: string; readonly target_url: string; readonly api_key: unknown }

const keyOf = (name: string): string => `sk-of-${name}-0123456789`

/** The upstreams that the blocks of a page configure, by name. */
function upstreamsOf(page: string): Record<string, Upstream> {
  return Object.assign({}, ...blocksOf(page, 'yaml').map(({ text }) => parse(text).upstreams))
}

/** Those of the table of the usual providers: `request_path` is the first segment of the client's base URL. */
function upstreamsOfTable(page: string): Record<string, Upstream & { readonly base: string }> {
  const rows = readPage(page).matchAll(
    /^\| [^|]+ \| `(http[^`]+)` \| `([^`]+)` \| `http:\/\/gateway:8080(\/([^`/]+)[^`]*)` \|$/gm,
  )
  return Object.fromEntries(
    [...rows].map(([, target_url, credential, base, name]) => [
      name,
      { request_path: `/${name}`, target_url: target_url!, api_key: '', credential, base: base! },
    ]),
  )
}

/** What a client of the provider sends, with the gateway key for the provider's, and what has to arrive with the provider's. */
interface Call {
  readonly path: string
  readonly lines: (key: string) => string[]
  /** Default: what was sent, with the other key. */
  readonly arrives?: (key: string) => string[]
  readonly target?: string
}

const bearer = (key: string): string[] => [`Authorization: Bearer ${key}`]

async function start(origin: Origin, upstreams: Record<string, Upstream>): Promise<RunningGateway> {
  const entries = Object.entries(upstreams).map(([name, { base: _, ...upstream }]) => {
    const { pathname } = new URL(upstream.target_url)
    return [name, { ...upstream, target_url: origin.url + pathname.replace(/\/$/, ''), api_key: keyOf(name) }]
  })
  return startGateway({ upstreams: Object.fromEntries(entries) })
}

function itSends(
  run: () => { gateway: RunningGateway; origin: Origin },
  name: string,
  upstream: Upstream,
  call: Call,
): void {
  it(`${name}: ${call.path} with ${call.lines('…').join(', ')}`, async () => {
    const { gateway, origin } = run()
    const n = origin.requests.length
    const head = [
      `POST ${call.path} HTTP/1.1`,
      'Host: gateway:8080',
      'Accept: */*',
      ...call.lines(CLIENT_KEY),
      'Content-Length: 0',
    ]
    const response = await exchange(gateway.port, `${head.join('\r\n')}\r\n\r\n`)
    assert.equal(response.status, 200)
    const request = await origin.request(n)
    const base = new URL(upstream.target_url).pathname.replace(/\/$/, '')
    assert.equal(request.target, call.target ?? base + call.path.slice(upstream.request_path.length))
    assert.deepEqual(request.lines.slice(1), [
      'Accept: */*',
      ...(call.arrives ?? call.lines)(keyOf(name)),
      'Content-Length: 0',
    ])
    assert.ok(!request.head.includes(CLIENT_KEY))
  })
}

function suite(
  page: string,
  upstreams: Record<string, Upstream>,
  calls: Readonly<Record<string, readonly Call[]>>,
): void {
  describe(page, () => {
    let gateway: RunningGateway
    let origin: Origin
    before(async () => {
      origin = await startOrigin()
      gateway = await start(origin, upstreams)
    })
    after(() => Promise.all([gateway.stop(), origin.close()]))

    it('every upstream is called', () => assert.deepEqual(Object.keys(calls).sort(), Object.keys(upstreams).sort()))
    for (const [name, upstream] of Object.entries(upstreams)) {
      for (const call of calls[name] ?? []) itSends(() => ({ gateway, origin }), name, upstream, call)
    }
  })
}

const PROVIDERS = 'docs/guide/providers.md'
const fal = (path: string): Call => ({ path, lines: (key) => [`Authorization: Key ${key}`] })

suite(PROVIDERS, upstreamsOf(PROVIDERS), {
  openrouter: [{ path: '/openrouter/v1/chat/completions', lines: bearer, target: '/api/v1/chat/completions' }],
  elevenlabs: [
    { path: '/elevenlabs/v1/text-to-speech/voice?output_format=mp3', lines: (key) => [`xi-api-key: ${key}`] },
    // Any client may use a field that is always looked at.
    { path: '/elevenlabs/v1/voices', lines: bearer, arrives: (key) => [`xi-api-key: ${key}`] },
  ],
  deepgram: [{ path: '/deepgram/v1/listen?model=nova-3', lines: (key) => [`authorization: Token ${key}`] }],
  assemblyai: [{ path: '/assemblyai/v2/transcript', lines: (key) => [`Authorization: ${key}`] }],
  fal: [fal('/fal/fal-ai/flux/dev')],
  'fal-queue': [fal('/fal-queue/fal-ai/flux/dev'), fal('/fal-queue/fal-ai/flux/requests/1/status?logs=0')],
  apim: [
    {
      path: '/apim/v1/chat/completions',
      lines: (key) => ['Authorization: Bearer login.of.the-user', `Ocp-Apim-Subscription-Key: ${key}`],
      target: '/openai/v1/chat/completions',
    },
  ],
})

/** The fields of the clients that are known for each. */
const FIELDS: Readonly<Record<string, readonly ((key: string) => string)[]>> = {
  openai: [(key) => `Authorization: Bearer ${key}`],
  anthropic: [(key) => `x-api-key: ${key}`, (key) => `Authorization: Bearer ${key}`],
  gemini: [(key) => `x-goog-api-key: ${key}`, (key) => `Authorization: Bearer ${key}`],
  azure: [(key) => `api-key: ${key}`, (key) => `Authorization: Bearer ${key}`],
}
const FIXED: Readonly<Record<string, (key: string) => string>> = {
  'x-api-key': (key) => `x-api-key: ${key}`,
  'api-key': (key) => `api-key: ${key}`,
  bearer: (key) => `Authorization: Bearer ${key}`,
}

const table = upstreamsOfTable(PROVIDERS)
suite(
  `the table of ${PROVIDERS}`,
  table,
  Object.fromEntries(
    Object.entries(table).map(([name, { base, credential }]) => [
      name,
      (FIELDS[name] ?? FIELDS.openai!).map((field) => ({
        path: `${base}/models`,
        lines: (key: string) => [field(key)],
        arrives: (key: string) => [(FIXED[String(credential)] ?? field)(key)],
      })),
    ]),
  ),
)

it('the table has every provider of it', () => assert.equal(Object.keys(table).length, 13))

const SERVERS = 'docs/guide/model-servers.md'
const chat = (base: string): Call => ({ path: `${base}/chat/completions`, lines: bearer })
const message = (base: string): Call => ({
  path: `${base}/messages`,
  lines: (key) => [`x-api-key: ${key}`],
  arrives: bearer,
})

suite(SERVERS, upstreamsOf(SERVERS), {
  vllm: [chat('/vllm/v1'), message('/vllm/v1')],
  sglang: [chat('/sglang/v1')],
  llama: [chat('/llama/v1'), message('/llama/v1')],
  ollama: [
    chat('/ollama/v1'),
    { path: '/ollama/api/chat', lines: (key) => ['Origin: https://page.example', ...bearer(key)], arrives: bearer },
  ],
  tgi: [chat('/tgi/v1')],
  'lm-studio': [chat('/lm-studio/v1'), message('/lm-studio/v1')],
})

it('nothing leads out of the base path of a model server', async () => {
  await using origin = await startOrigin()
  await using gateway = await start(origin, upstreamsOf(SERVERS))
  for (const [target, status] of [
    ['/vllm/pause', 404],
    ['/vllm/v1/../pause', 400],
    ['/vllm/v1/%2e%2e/pause', 400],
    ['/vllm/v1x', 404],
  ] as const) {
    const response = await exchange(
      gateway.port,
      `POST ${target} HTTP/1.1\r\nHost: a\r\n${bearer(CLIENT_KEY)[0]}\r\nContent-Length: 0\r\n\r\n`,
    )
    assert.equal(response.status, status, target)
  }
  assert.equal(origin.requests.length, 0)
})
