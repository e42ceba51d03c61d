import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { get } from '../support/bytes.ts'
import { CLIENT_KEY, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

const ROOT_KEY = 'fgk_that_opens_the_root_as_well'

/** Target sent, target that arrives (its first segment says by which upstream), or 404. */
const routes: readonly (readonly [sent: string, arrives: string | 404])[] = [
  ['/openai', '/o'],
  ['/openai/', '/o/'],
  ['/openai?x=/y', '/o?x=/y'],
  ['/openai/v1/x', '/o/v1/x'],
  ['/openai//v1', '/o//v1'],
  ['/openai-evil', 404],
  ['/openai.', 404],
  ['/openaix/v1', 404],
  ['/openai@host/v1', 404],
  ['/openai%2Fv1', 404],
  ['/OpenAI/v1', 404],
  ['/open%61i/v1', 404],
  ['//openai/v1', 404],
  ['/', 404],
  ['/v1', 404],
  ['/openai/azure', '/a'],
  ['/openai/azure/v1', '/a/v1'],
  ['/openai/azurex/v1', '/o/azurex/v1'],
  ['/openai/azure/eu/v1', '/e/v1'],
  ['/slashed/v1', '/s/v1'],
  ['/slashed', '/s'],
  ['/bare', '/'],
  ['/bare/', '/'],
  ['/bare?q', '/?q'],
  ['/bare/v1?q', '/v1?q'],
  ['http://gateway.test/openai/v1', '/o/v1'],
  ['http://gateway.test', 404],
]

describe('routes', () => {
  let gateway: RunningGateway
  let origin: Origin
  before(async () => {
    origin = await startOrigin()
    const to = (request_path: string, base: string) => ({
      request_path,
      target_url: origin.url + base,
      api_key: PROVIDER_KEY,
    })
    const upstreams = {
      azure: to('/openai/azure', '/a'),
      openai: to('/openai', '/o'),
      eu: to('/openai/azure/eu', '/e'),
      slashed: to('/slashed//', '/s/'),
      bare: to('/bare', ''),
      root: to('/', '/r'),
    }
    const { root, ...others } = upstreams
    assert.ok(root)
    gateway = await startGateway({
      upstreams,
      api_keys: {
        static: [
          { id: 'test', key: CLIENT_KEY, upstreams: Object.keys(others) },
          { id: 'root', key: ROOT_KEY },
        ],
      },
    })
  })
  after(() => Promise.all([gateway.stop(), origin.close()]))

  for (const [sent, arrives] of routes) {
    it(`${sent} → ${arrives}`, async () => {
      const n = origin.requests.length
      const response = await exchange(gateway.port, get(sent))
      assert.equal(response.status, arrives === 404 ? 404 : 200)
      assert.equal(origin.requests[n]?.target, arrives === 404 ? undefined : arrives)
    })
  }

  it('the root takes what nothing else takes', async () => {
    for (const [sent, arrives] of [
      ['/', '/r/'],
      ['/?q', '/r/?q'],
      ['/openai-evil/x', '/r/openai-evil/x'],
      ['/openai/x', '/o/x'],
      ['//x', '/r//x'],
    ]) {
      const n = origin.requests.length
      await exchange(gateway.port, get(sent!).replace(CLIENT_KEY, ROOT_KEY))
      assert.equal((await origin.request(n)).target, arrives)
    }
  })
})
