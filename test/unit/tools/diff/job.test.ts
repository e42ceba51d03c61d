import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { loadConfiguration } from '../../../../src/config/load.ts'
import { type DiffOptions, type Job, NotPrepared, prepareJob } from '../../../../src/tools/diff/job.ts'
import { localGateway } from '../../../../src/tools/diff/provider.ts'

const folder = mkdtempSync(join(tmpdir(), 'fluxgate-job-'))
after(() => rmSync(folder, { recursive: true }))

function write(name: string, text: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const UPSTREAMS = { a: { request_path: '/a', target_url: 'https://a.test', api_key: 'PK' } }
const KEYED = { version: 1, upstreams: UPSTREAMS, api_keys: { static: [{ key: 'GK' }] } }
const OPEN = { version: 1, upstreams: UPSTREAMS, server: { allow_anonymous: true } }

const OPTIONS: DiffOptions = {
  isDirect: false,
  isStrict: false,
  configPath: '',
  upstream: 'a',
  gateway: undefined,
  gatewayCa: undefined,
  keyFile: undefined,
  hasRequest: false,
  method: undefined,
  path: undefined,
  lines: [],
  bodyFile: undefined,
}

interface Given {
  readonly options?: Partial<DiffOptions>
  readonly env?: NodeJS.ProcessEnv
  readonly stdin?: string
  readonly config?: object
}

function prepare({ options = {}, env = { FLUXGATE_DIFF_KEY: 'GK' }, stdin = '', config = KEYED }: Given): Job {
  const loaded = loadConfiguration(write('fluxgate.yaml', JSON.stringify(config)))
  const descriptor = openSync(write('stdin', stdin), 'r')
  try {
    return prepareJob({ ...OPTIONS, ...options }, loaded, { env, stdin: descriptor })
  } finally {
    closeSync(descriptor)
  }
}

describe('a comparison is prepared', () => {
  test('with the upstream and the secrets of the configuration', () => {
    const job = prepare({})
    assert.deepEqual([job.upstream.name, job.key, job.wish, job.secrets], ['a', 'GK', undefined, ['GK', 'PK']])
  })

  for (const [name, given, key] of [
    ['from a file, which counts more', { options: { keyFile: write('key', 'other\n') } }, 'other'],
    ['from stdin', { options: { keyFile: '-' }, stdin: 'piped\r\n' }, 'piped'],
    ['from the environment, without its line break', { env: { FLUXGATE_DIFF_KEY: 'GK\n' } }, 'GK'],
    ['from nowhere, as nobody asks for it', { env: {}, config: OPEN }, undefined],
    ['from nowhere, as it is empty', { env: { FLUXGATE_DIFF_KEY: '' }, config: OPEN }, undefined],
  ] as const) {
    test(`with the key ${name}`, () => assert.equal(prepare(given).key, key))
  }

  test('with a body, byte for byte', () => {
    const bytes = Uint8Array.from([0, 0xff, 0x0a])
    const options = { hasRequest: true, bodyFile: write('body', bytes) }
    assert.deepEqual(prepare({ options }).wish?.content, Buffer.from(bytes))
    assert.deepEqual(
      prepare({ options: { ...options, bodyFile: '-' }, stdin: 'x\n' }).wish?.content,
      Buffer.from('x\n'),
    )
  })

  test('with variables of the environment in field lines, which are secrets then', () => {
    const lines = ['Authorization: Bearer {env:LOGIN}', 'X: {env:E}{env:E}', 'Y: {key} é']
    const { wish, secrets } = prepare({
      options: { hasRequest: true, lines },
      env: { FLUXGATE_DIFF_KEY: 'GK', LOGIN: 'mine', E: '$&' },
    })
    assert.deepEqual(wish?.lines, ['Authorization: Bearer mine', 'X: $&$&', 'Y: {key} \xc3\xa9'])
    assert.deepEqual(secrets, ['GK', 'PK', 'mine', '$&', '$&', '{env:LOGIN}'])
  })

  test('with credentials that were written into a field line or a path, which are secrets too', () => {
    const options = {
      hasRequest: true,
      lines: ['Authorization: Basic abc', 'X: 1'],
      path: '/x?a=b&key=one&api-key=two',
    }
    assert.deepEqual(prepare({ options }).secrets, ['GK', 'PK', 'abc', 'one', 'two'])
  })
})

describe('a comparison cannot be prepared', () => {
  for (const [name, given, message] of [
    ['without a key', { env: {} }, /^a gateway key is needed: put it into FLUXGATE_DIFF_KEY/],
    ['with an empty key file', { options: { keyFile: write('empty', '\n') } }, /empty holds no key$/],
    ['with a key of two lines', { env: { FLUXGATE_DIFF_KEY: 'a\r\nb: c' } }, /control characters$/],
    ['with a file that is not there', { options: { keyFile: join(folder, 'no') } }, /no cannot be read: ENOENT$/],
    ['with a body that is none', { options: { hasRequest: true, bodyFile: folder } }, /cannot be read: EISDIR$/],
    ['for an unknown upstream', { options: { upstream: 'b' } }, /^the configuration has no upstream b; it has: a$/],
    ['with a configuration that is wrong', { config: { version: 2 } }, /version: must be/],
    ['with an unknown variable', { options: { hasRequest: true, lines: ['X: {env:NO}'] } }, /no variable NO$/],
    [
      'with a variable of two lines',
      { options: { hasRequest: true, lines: ['X: {env:E}'] }, env: { FLUXGATE_DIFF_KEY: 'GK', E: 'a\nb' } },
      /^E must not hold control characters$/,
    ],
  ] as const) {
    test(name, () => {
      assert.throws(
        () => prepare(given),
        (error) => error instanceof NotPrepared && message.test(error.message),
      )
    })
  }
})

describe('the gateway of the configuration is reached at', () => {
  for (const [address, authority] of [
    ['0.0.0.0:8080', '127.0.0.1:8080'],
    ['127.0.0.2:81', '127.0.0.2:81'],
    ['[::]:8080', '[::1]:8080'],
    ['[::1]:8080', '[::1]:8080'],
    ['[fe80::2]:8080', '[fe80::2]:8080'],
  ] as const) {
    test(`${authority} when it is bound to ${address}`, () => {
      const { settings } = prepare({ config: { ...KEYED, server: { bind_address: address } } })
      const gateway = localGateway(settings.server)
      assert.equal(gateway.authority, authority)
      assert.equal(`${gateway.host.includes(':') ? `[${gateway.host}]` : gateway.host}:${gateway.port}`, authority)
    })
  }

  test('no address that it could reach when it is a Unix socket', () => {
    const { settings } = prepare({ config: { ...KEYED, server: { bind_address: 'unix:/run/x.sock' } } })
    assert.throws(
      () => localGateway(settings.server),
      /server\.bind_address is unix:\/run\/x\.sock, and diff speaks TCP only/,
    )
  })

  test('no address that is known when any free port will do', () => {
    const { settings } = prepare({ config: { ...KEYED, server: { bind_address: '127.0.0.1:0' } } })
    assert.throws(() => localGateway(settings.server), NotPrepared)
  })
})
