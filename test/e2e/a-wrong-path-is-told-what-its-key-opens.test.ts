import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

const ask = (port: number, key: string, path = '/nowhere'): ReturnType<typeof exchange> =>
  exchange(port, `GET ${path} HTTP/1.1\r\nHost: a\r\nx-api-key: ${key}\r\n\r\n`)

const messageOf = (text: string): string => JSON.parse(text).error.message
const UNKNOWN = 'fluxgate: No upstream is configured for this path.'

test('each key its own upstreams, and nobody else’s', async () => {
  await using origin = await startOrigin()
  const to = (request_path: string) => ({ request_path, target_url: origin.url, api_key: PROVIDER_KEY })
  const config = (more: object = {}) => ({
    upstreams: { one: to('/one/'), odd: to('/%22a"b\'c\\d%0a<i>'), two: to('/two'), ...more },
    api_keys: {
      static: [
        { key: 'for-one', upstreams: ['one'] },
        { key: 'for-odd', upstreams: ['odd', 'one'] },
        { key: 'for-all' },
        { key: 'for-all-too', upstreams: [] },
      ],
    },
  })
  await using gateway = await startGateway(config())
  const told = async (key: string, path?: string): Promise<string> => {
    const response = await ask(gateway.port, key, path)
    assert.equal(response.status, 404)
    assert.equal(JSON.parse(response.text).message, messageOf(response.text))
    return messageOf(response.text)
  }
  for (let i = 0; i < 2; i++) {
    assert.equal(await told('for-one'), `${UNKNOWN} Open to you: /one`)
    assert.equal(await told('for-one', '/two/x'), `${UNKNOWN} Open to you: /one`)
    assert.equal(await told('for-odd'), `${UNKNOWN} Open to you: /one, /%22a"b'c\\d%0a<i>`)
    for (const key of ['for-all', 'for-all-too'])
      assert.equal(await told(key), `${UNKNOWN} Open to you: /one, /%22a"b'c\\d%0a<i>, /two`)
  }
  const refused = await ask(gateway.port, 'wrong')
  assert.equal(refused.status, 401)
  assert.doesNotMatch(refused.text, /one|two/)

  gateway.rewrite(config({ three: to('/three') }))
  await gateway.waitForLog('reloaded automatically')
  assert.equal(await told('for-one'), `${UNKNOWN} Open to you: /one`)
  assert.match(await told('for-all'), /, \/two, \/three$/)
  assert.equal(origin.connections.length, 0)
})

test('never more than fits, and whoever needs no key is told as well', async () => {
  const names = (count: number, name: (i: number) => string) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, i) => [
        `u${i}`,
        { request_path: `/${name(i)}`, target_url: 'http://127.0.0.1:9' },
      ]),
    )
  for (const [upstreams, expected] of [
    [names(1, () => 'a'), / Open to you: \/a$/],
    [names(20, (i) => `u${i}`), / Open to you: (?:\/u\d+, ){19}\/u19$/],
    [names(23, (i) => `u${i}`), / Open to you: (?:\/u\d+, ){19}\/u19 and 3 more\.$/],
    [names(5, (i) => `${i}${'x'.repeat(398)}`), / Open to you: \/0x+, \/1x+ and 3 more\.$/],
    [names(1, () => 'x'.repeat(2_000)), /path\.$/],
  ] as const) {
    await using gateway = await startGateway({ server: { allow_anonymous: true }, upstreams })
    const response = await exchange(gateway.port, 'GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.equal(response.status, 404)
    assert.match(messageOf(response.text), expected)
    assert.ok(response.text.length < 3_000)
  }
})
