/** What the demo runs with and what it says, as text. */

/** The gateway key of every demo: well known, so that examples can be copied as they are. */
export const DEMO_KEY = 'fluxgate-demo-key'

const PREFIXES = ['openai', 'anthropic', 'gemini']

/** Files of the certificate that it speaks TLS with. */
export interface DemoTls {
  readonly cert: string
  readonly key: string
}

export function demoConfiguration(
  bindAddress: string,
  standInPort: number,
  providerKey: string,
  tls: DemoTls | undefined,
  meter: { readonly ledgerUrl: string; readonly pricesPath: string } | undefined,
): string {
  const upstreams = PREFIXES.map(
    (name) => `  ${name}:
    request_path: /${name}
    target_url: http://127.0.0.1:${standInPort}
    api_key: ${providerKey}
    websocket: true
    query_credential: true
`,
  )
  return `version: 1
server:
  bind_address: ${JSON.stringify(bindAddress)}
${tls === undefined ? '' : `  tls: ${JSON.stringify({ cert: tls.cert, key: tls.key })}\n`}upstreams:
${upstreams.join('')}api_keys:
  static:
    - id: demo
      key: ${DEMO_KEY}
${meter === undefined ? '' : `ledger: { url: ${JSON.stringify(meter.ledgerUrl)} }\nusage: { prices: ${JSON.stringify(meter.pricesPath)} }\n`}`
}

/** At the end; `table`: as `fluxgate usage` shows it. */
export function demoUsageText(table: string): string {
  return `
What was used, and would have cost (fluxgate usage --by upstream,model):

${table}
`
}

/** An address to connect to, for one to listen on. */
function reachable(address: string): string {
  return address.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:')
}

/** `address`: what the gateway listens on. */
export function demoText(address: string, key: string, tls?: DemoTls): string {
  const origin = `${tls === undefined ? 'http' : 'https'}://${reachable(address)}`
  const curl = tls === undefined ? 'curl' : `curl --cacert ${tls.cert}`
  const trust =
    tls === undefined
      ? ''
      : `Its certificate is made for this demo: clients have to trust ${tls.cert}
(curl --cacert FILE; NODE_EXTRA_CA_CERTS=FILE for Node, SSL_CERT_FILE=FILE for Python).
`
  return `
Fluxgate runs at ${origin} in front of a stand-in for OpenAI, Anthropic and Gemini.
Its gateway key is ${key}; the stand-in has another one, which clients never see.
${trust}
Try it from a second terminal:

  # OpenAI, streamed
  ${curl} -N ${origin}/openai/v1/chat/completions -H 'Authorization: Bearer ${key}' \\
    -H 'Content-Type: application/json' \\
    -d '{"model":"stand-in-1","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hello!"}]}'

  # Anthropic
  ${curl} ${origin}/anthropic/v1/messages -H 'x-api-key: ${key}' -H 'anthropic-version: 2023-06-01' \\
    -H 'Content-Type: application/json' \\
    -d '{"model":"stand-in-1","max_tokens":100,"messages":[{"role":"user","content":"Hello!"}]}'

  # Gemini
  ${curl} ${origin}/gemini/v1beta/models/stand-in-1:generateContent -H 'x-goog-api-key: ${key}' \\
    -H 'Content-Type: application/json' -d '{"contents":[{"parts":[{"text":"Hello!"}]}]}'

  # A wrong key: 401, and the provider never hears of it
  ${curl} -i ${origin}/openai/v1/models -H 'Authorization: Bearer wrong'

Or point an official SDK at it:

  new OpenAI({ baseURL: '${origin}/openai/v1', apiKey: '${key}' })
  new Anthropic({ baseURL: '${origin}/anthropic', apiKey: '${key}' })
  new GoogleGenAI({ apiKey: '${key}', httpOptions: { baseUrl: '${origin}/gemini' } })
  new WebSocket('${origin.replace('http:', 'ws:')}/openai/v1/realtime', ['realtime', 'openai-insecure-api-key.${key}'])

Each request is logged below, with its tokens and what they would cost at the prices of gpt-4o; the sums come at the end.
Ctrl-C stops the demo.

`
}
