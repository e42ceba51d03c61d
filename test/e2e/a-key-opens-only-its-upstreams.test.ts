import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

const JWT_KEY = 'a-secret-of-more-than-thirty-two-bytes'
const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const input = `${encode({ alg: 'HS256', typ: 'JWT', kid: 'team' })}.${encode({ sub: 'u' })}`
const token = `${input}.${createHmac('sha256', JWT_KEY).update(input).digest('base64url')}`

test('the others are not there for it', async () => {
  await using origin = await startOrigin()
  const to = (name: string) => ({
    request_path: `/${name}`,
    target_url: `${origin.url}/${name}`,
    api_key: `${PROVIDER_KEY}-${name}`,
  })
  await using gateway = await startGateway({
    upstreams: {
      one: to('one'),
      two: to('two'),
      three: to('three'),
      deep: { ...to('deep'), request_path: '/one/deep' },
    },
    api_keys: {
      static: [
        { key: 'for-one', upstreams: ['one'] },
        { key: 'for-both', upstreams: ['one', 'two'] },
        { key: 'for-all' },
        { key: 'for-all-too', upstreams: [] },
      ],
      jwt: [{ id: 'team', key: JWT_KEY }],
    },
  })
  const status = async (key: string, target: string): Promise<string> => {
    const response = await exchange(gateway.port, `GET ${target} HTTP/1.1\r\nHost: a\r\nx-api-key: ${key}\r\n\r\n`)
    const last = origin.requests.at(-1)
    if (response.status === 200) assert.ok(last?.values('x-api-key')[0]?.endsWith(last.target.split('/')[1] ?? '?'))
    return `${key} ${target}: ${response.status === 200 ? last?.target : response.status}`
  }
  assert.equal(await status('for-one', '/one/x'), 'for-one /one/x: /one/x')
  assert.equal(await status('for-one', '/two/x'), 'for-one /two/x: 404')
  assert.equal(await status('for-one', '/one/deep/x'), 'for-one /one/deep/x: /one/deep/x')
  assert.equal(await status('for-both', '/two/x'), 'for-both /two/x: /two/x')
  assert.equal(await status('for-both', '/three/x'), 'for-both /three/x: 404')
  for (const key of ['for-all', 'for-all-too', token]) {
    for (const name of ['one', 'two', 'three'])
      assert.equal(await status(key, `/${name}/x`), `${key} /${name}/x: /${name}/x`)
    assert.equal(await status(key, '/one/deep/x'), `${key} /one/deep/x: /deep/x`)
  }
})
