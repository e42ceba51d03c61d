import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'
import { signToken } from '../support/tokens.ts'

const KEY = 'a-secret-of-more-than-thirty-two-bytes'
const OTHER = 'another-secret-of-more-than-32-bytes!'
const now = (): number => Date.now() / 1000

const token = (claims: object, header: object = {}): string => signToken('portal', KEY, claims, header)
const GOOD = { aud: ['x', 'fluxgate'], iss: 'https://idp', sub: 'alice' }
const good = (more: object = {}): string => token({ ...GOOD, exp: now() + 600, ...more })

const PORTAL = {
  id: 'portal',
  key: KEY,
  audience: 'fluxgate',
  issuer: ['https://idp', 'https://idp/'],
  require_exp: true,
  leeway_ms: 30_000,
  upstreams: ['one'],
}

const ask = (port: number, path: string, ...lines: string[]): ReturnType<typeof exchange> =>
  exchange(port, [`GET ${path} HTTP/1.1`, 'Host: a', ...lines, '', ''].join('\r\n'))

test('what a key wants of its tokens holds, says nothing to who is refused, and changes with the file', async () => {
  await using origin = await startOrigin()
  const to = (name: string) => ({ request_path: `/${name}`, target_url: origin.url, api_key: PROVIDER_KEY })
  const config = (...jwt: object[]) => ({ upstreams: { one: to('one'), two: to('two') }, api_keys: { jwt } })
  const free = { id: 'free', key: OTHER }
  await using gateway = await startGateway(config(PORTAL, free))
  const answers = new Set<string>()
  let n = 0
  const status = async (path: string, ...lines: string[]): Promise<string> => {
    const response = await ask(gateway.port, path, ...lines)
    const record = await gateway.until(() => gateway.records()[n], 'its record')
    n++
    if (response.status === 401) {
      answers.add(response.text)
      assert.deepEqual([record.api_key, record.subject], [undefined, undefined])
    }
    return [response.status, record.api_key, record.subject, record.error === 'unauthorized' ? record.cause : undefined]
      .filter((each) => each !== undefined)
      .join(' ')
  }
  const by = (jwt: string): string => `Authorization: Bearer ${jwt}`

  assert.equal(await status('/one/x', by(good())), '200 portal alice')
  assert.equal(await status('/one/x', by(good({ sub: 'bob' }))), '200 portal bob')
  assert.equal(await status('/one/x', by(good({ sub: ['alice'] }))), '200 portal')
  assert.equal(
    await status('/one/x', by(good({ sub: 'line\nbreak" level=ERROR' }))),
    '200 portal line\nbreak" level=ERROR',
  )
  assert.equal(await status('/one/x', by(good({ sub: 'x'.repeat(5_000) }))), `200 portal ${'x'.repeat(256)}…`)
  assert.equal(await status('/one/x', by(good({ exp: now() - 20 }))), '200 portal alice')
  assert.equal(await status('/one/x', by(token({ ...GOOD, exp: now() + 600 }, { typ: undefined }))), '200 portal alice')
  assert.equal(await status('/two/x', by(good())), '404 portal alice')
  assert.equal(await status('/two/x', by(signToken('free', OTHER, {}))), '200 free')

  for (const [refused, cause] of [
    [good({ aud: 'x' }), 'audience'],
    [good({ aud: undefined }), 'audience'],
    [good({ iss: 'https://idp//' }), 'issuer'],
    [good({ exp: undefined }), 'no_expiry'],
    [good({ exp: now() - 40 }), 'expired'],
    [good({ nbf: now() + 40 }), 'not_yet'],
    [good({ sub: 'x'.repeat(16_384) }), 'too_long'],
    [signToken('free', KEY, GOOD), 'signature'],
    ['wrong', 'unknown_key'],
  ] as const) {
    assert.equal(await status('/one/x', by(refused)), `401 ${cause}`, refused)
    // Beside one that did not come so far, in whatever order.
    const other = cause === 'unknown_key' ? '' : signToken('nobody', KEY, GOOD)
    const word = cause === 'too_long' ? 'kid' : cause
    assert.equal(await status('/one/x', by(refused), `x-api-key: ${other}`), `401 ${word}`, refused)
    assert.equal(await status('/one/x', `x-api-key: ${refused}`, by(other)), `401 ${word}`, refused)
  }
  assert.equal(answers.size, 1, 'nobody is told why')
  assert.equal(origin.requests.length, 8)

  // The token whose field comes first in the list of credential fields is the one that is used.
  assert.equal(
    await status('/one/x', `x-api-key: ${good({ sub: 'second' })}`, by(good({ sub: 'first' }))),
    '200 portal first',
  )
  assert.equal(await status('/one/x', by(good()), `x-api-key: ${signToken('free', OTHER, {})}`), '401 two_keys')

  gateway.rewrite(config({ ...PORTAL, audience: 'elsewhere' }, free))
  await gateway.waitForLog('reloaded automatically')
  assert.equal(await status('/one/x', by(good())), '401 audience')
  assert.equal(await status('/one/x', by(good({ aud: 'elsewhere' }))), '200 portal alice')
  gateway.rewrite(config({ id: 'portal', key: KEY, upstreams: [] }))
  await gateway.waitForLog('reloaded automatically', 2)
  assert.equal(await status('/two/x', by(token({ sub: 'alice' }))), '200 portal alice')
  assert.equal(await status('/two/x', by(signToken('free', OTHER, {}))), '401 kid')
})

test('a token whose time is still to come goes to no provider either', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({
    upstreams: { up: { request_path: '/up', target_url: origin.url, credential: 'pass' } },
    api_keys: { jwt: [{ id: 'portal', key: KEY }] },
  })
  const early = token({ nbf: now() + 600 })
  const response = await ask(
    gateway.port,
    '/up/x',
    `x-fluxgate-key: ${token({})}`,
    `x-api-key: ${early}`,
    'api-key: own',
  )
  assert.equal(response.status, 200)
  const { message } = await origin.request(0)
  assert.deepEqual(
    message.fields.slice(1).map(({ line }) => line),
    ['api-key: own'],
  )
  gateway.rewrite({
    upstreams: { up: { request_path: '/up', target_url: origin.url, api_key: PROVIDER_KEY, query_credential: true } },
    api_keys: { jwt: [{ id: 'portal', key: KEY }] },
  })
  await gateway.waitForLog('reloaded automatically')
  for (const [n, [target, seen, ...lines]] of [
    [`/up/x?key=${early}&a=b`, '/x?a=b', `api-key: ${token({})}`],
    [`/up/x?key=${early}&a=b&key=${token({})}`, `/x?key=${PROVIDER_KEY}&a=b`],
  ].entries()) {
    assert.equal((await ask(gateway.port, target!, ...lines)).status, 200)
    assert.equal((await origin.request(n + 1)).target, seen)
  }
  assert.equal((await ask(gateway.port, `/up/x?key=${early}`)).status, 401)
})
