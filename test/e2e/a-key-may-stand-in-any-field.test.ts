import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { CLIENT_KEY, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

const places = {
  eleven: { field: 'xi-api-key' },
  azure: { field: 'Ocp-Apim-Subscription-Key' },
  deepgram: { field: 'Authorization', scheme: 'Token' },
  fal: { field: 'authorization', scheme: 'Key' },
  assembly: { field: 'Authorization', scheme: '' },
} as const

describe('credential: { field, scheme }', () => {
  const only = 'fgk_opens_deepgram_only_0123456789'
  const another = 'fgk_opens_everything_too_0123456789'
  let gateway: RunningGateway
  let origin: Origin
  before(async () => {
    origin = await startOrigin()
    const upstreams = Object.entries(places).map(([name, credential]) => [
      name,
      { request_path: `/${name}`, target_url: origin.url, api_key: PROVIDER_KEY, credential },
    ])
    const rest = { request_path: '/', target_url: origin.url, api_key: PROVIDER_KEY }
    gateway = await startGateway({
      upstreams: { ...Object.fromEntries(upstreams), rest },
      api_keys: {
        static: [
          { id: 'all', key: CLIENT_KEY },
          { id: 'another', key: another },
          { id: 'one', key: only, upstreams: ['deepgram', 'rest'] },
        ],
      },
    })
  })
  after(() => Promise.all([gateway.stop(), origin.close()]))

  /** The lines that arrive behind Host, or the status of a refusal. */
  async function ask(path: string, ...lines: string[]): Promise<string[] | number> {
    const n = origin.requests.length
    const response = await exchange(gateway.port, [`GET ${path} HTTP/1.1`, 'Host: a', ...lines, '', ''].join('\r\n'))
    if (response.status !== 200) return response.status
    return (await origin.request(n)).lines.slice(1)
  }

  for (const [path, sent, arrives] of [
    ['/eleven/x', [`XI-api-key:  ${CLIENT_KEY}`, 'A: 1'], [`XI-api-key:  ${PROVIDER_KEY}`, 'A: 1']],
    ['/azure', [`ocp-apim-subscription-key: ${CLIENT_KEY}`], [`ocp-apim-subscription-key: ${PROVIDER_KEY}`]],
    ['/deepgram/v1', [`Authorization: token ${CLIENT_KEY}`], [`Authorization: token ${PROVIDER_KEY}`]],
    ['/fal', [`Authorization: Key   ${CLIENT_KEY}`], [`Authorization: Key   ${PROVIDER_KEY}`]],
    ['/assembly', [`Authorization: ${CLIENT_KEY}`], [`Authorization: ${PROVIDER_KEY}`]],
    // The fields that carry keys everywhere, here as well.
    [
      '/eleven',
      ['A: 1', `Authorization: Bearer ${CLIENT_KEY}`, 'B: 2'],
      ['A: 1', `xi-api-key: ${PROVIDER_KEY}`, 'B: 2'],
    ],
    ['/deepgram', [`Authorization: Bearer ${CLIENT_KEY}`], [`Authorization: Token ${PROVIDER_KEY}`]],
    ['/assembly', [`x-api-key: ${CLIENT_KEY}`], [`Authorization: ${PROVIDER_KEY}`]],
    ['/eleven', ['A: 1', `x-fluxgate-key: ${CLIENT_KEY}`], ['A: 1', `xi-api-key: ${PROVIDER_KEY}`]],
    ['/eleven', [`x-fluxgate-key: ${CLIENT_KEY}`, 'xi-api-key: theirs'], [`xi-api-key: ${PROVIDER_KEY}`]],
    // One credential goes to a provider.
    [
      '/eleven',
      [`xi-api-key: ${CLIENT_KEY}`, `xi-api-key: ${CLIENT_KEY}`, 'Authorization: Bearer sso', `Cookie: ${CLIENT_KEY}`],
      [`xi-api-key: ${PROVIDER_KEY}`],
    ],
    ['/eleven', [`xi-api-key: ${CLIENT_KEY}`, 'xi-api-key: theirs'], [`xi-api-key: ${PROVIDER_KEY}`]],
  ] as const) {
    it(`${path} with ${sent.map((line) => line.slice(0, line.indexOf(':'))).join(', ')}`, async () => {
      assert.deepEqual(await ask(path, ...sent), arrives)
    })
  }

  for (const [what, path, line] of [
    ['another upstream than the one that names the field', '/other', `xi-api-key: ${CLIENT_KEY}`],
    ['another upstream that has another field', '/azure', `xi-api-key: ${CLIENT_KEY}`],
    ['another scheme', '/deepgram', `Authorization: Key ${CLIENT_KEY}`],
    ['no blank behind the scheme', '/deepgram', `Authorization: Token${CLIENT_KEY}`],
    ['no scheme where there is one', '/deepgram', `Authorization: ${CLIENT_KEY}`],
    ['a scheme where there is none', '/assembly', `Authorization: Token ${CLIENT_KEY}`],
    ['a prefix of letters only', '/elevenses', `xi-api-key: ${CLIENT_KEY}`],
    ['a key that does not open the upstream, though it opens what lies above', '/eleven', `xi-api-key: ${only}`],
    ['a wrong key', '/eleven', 'xi-api-key: wrong'],
    ['an empty key', '/eleven', 'xi-api-key:'],
  ] as const) {
    it(`${what} is 401`, async () => assert.equal(await ask(path, line), 401))
  }

  it('two keys of two identities are 401', async () => {
    assert.equal(await ask('/deepgram', `Authorization: Token ${only}`, `x-api-key: ${CLIENT_KEY}`), 401)
    for (const [first, second] of [
      [CLIENT_KEY, another],
      [another, CLIENT_KEY],
    ] as const) {
      assert.equal(await ask('/eleven', `xi-api-key: ${first}`, `xi-api-key: ${second}`), 401, 'in its own field')
    }
  })

  it('a key that stands in a target is refused there too', async () => {
    assert.equal(await ask(`/eleven?a=${CLIENT_KEY}`, `xi-api-key: ${CLIENT_KEY}`), 400)
  })
})
