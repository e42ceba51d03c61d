/** `fluxgate diff --direct`: no provider, a recording origin instead. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { BATTERY } from '../../src/diff/battery.ts'
import { type Edits, startChangingProxy } from '../support/changing-proxy.ts'
import { diff, type Run } from '../support/diff-command.ts'
import { CLIENT_KEY, type ConfigObject, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'

const ALL = `${BATTERY.length} of ${BATTERY.length} the same`

function assertSame({ code, out, error }: Run, summary = ALL): void {
  assert.equal(error, '')
  assert.ok(out.endsWith(`\n${summary}\n`), out)
  assert.doesNotMatch(out, /DIFFERENT/)
  assert.equal(code, 0)
}

function assertNoSecrets({ out, error }: Run, ...secrets: string[]): void {
  for (const secret of [CLIENT_KEY, PROVIDER_KEY, ...secrets]) {
    assert.ok(!`${out}${error}`.toLowerCase().includes(secret.toLowerCase()), `a secret in ${out}${error}`)
  }
}

/** An address that nobody else has, so that its port is free and no outgoing connection takes it. */
const ORIGIN = `127.${10 + ((process.pid >> 16) & 63)}.${(process.pid >> 8) & 255}.${1 + (process.pid % 254)}:9100`

const CONFIG: ConfigObject = {
  upstreams: {
    rec: { request_path: '/rec', target_url: `http://${ORIGIN}/base`, api_key: PROVIDER_KEY },
    fixed: {
      request_path: '/a/fixed',
      target_url: `http://${ORIGIN}`,
      api_key: PROVIDER_KEY,
      credential: 'x-goog-api-key',
    },
    login: { request_path: '/login', target_url: 'https://provider.test/v1', credential: 'pass' },
  },
}

describe('a gateway of its own', () => {
  it('changes nothing', async () => assertSame(await diff(['--direct'])))

  it('changes nothing in a request of one’s own', async () => {
    const request = ['--path=/x?y=%20', '--method=PATCH', '--header', 'x-API-key: {key}', '--header=X: é {env:EXTRA}']
    const run = await diff(['--direct', ...request, '--body=-'], {
      env: { EXTRA: 'my-extra-secret' },
      input: 'any\x00thing',
    })
    assertSame(run, `${BATTERY.length + 1} of ${BATTERY.length + 1} the same`)
    assert.match(
      run.out,
      /same {7}your request\n +request {3}PATCH \/base\/x\?y=%20 HTTP\/1\.1, 7 field lines, length 9 b/,
    )
    assertNoSecrets(run, 'my-extra-secret')
  })
})

describe('with a configuration', () => {
  let gateway: RunningGateway
  before(async () => {
    gateway = await startGateway(CONFIG)
  })
  after(() => gateway.stop())

  const of = (upstream: string, ...args: string[]): string[] => {
    return ['--direct', '--config', gateway.configPath, '--upstream', upstream, ...args]
  }

  for (const upstream of ['rec', 'fixed', 'login']) {
    it(`a gateway of its own treats ${upstream} as it says`, async () => {
      const run = await diff(of(upstream))
      assertSame(run)
      assertNoSecrets(run)
    })
  }

  it('a gateway that runs changes nothing', async () => {
    assertSame(await diff(of('rec', '--gateway', gateway.url)))
    await gateway.waitForRecord(({ target_url }) => target_url?.startsWith(`http://${ORIGIN}/base/`) ?? false)
  })

  const lines = (name: string) => new RegExp(`^${name}: (.*)\r\n`, 'gm')
  const changes: readonly (readonly [name: string, edits: Edits, trial: string, finding: RegExp])[] = [
    [
      'the spelling of a name',
      { request: (text) => text.replace('\r\nAUTHORIZATION:', '\r\nauthorization:') },
      'odd spelling of field names',
      /request .*\n +field line 3 has another spelling of the name\n +straight {2}AUTHORIZATION: bearer \*\*\*\n +gateway {3}authorization: bearer \*\*\*\n/,
    ],
    [
      'a request, by a line of its own',
      { request: (text) => text.replace('\r\nAccept:', '\r\nVia: 1.1 proxy\r\nAccept:') },
      'a request without a body',
      /request .*\n +field line 3 is added\n +straight {2}\(nothing\)\n +gateway {3}Via: 1\.1 proxy\n/,
    ],
    [
      'the escapes of a target',
      { request: (text) => text.replace('/%7e%2F', '/~%2F') },
      'an odd target',
      /start line is another one\n +straight {2}GET \/base\/v1\/\/models\/%7e.*\n +gateway {3}GET \/base\/v1\/\/models\/~%2F/,
    ],
    [
      'white space',
      { request: (text) => text.replace('X-Tight:v', 'X-Tight: v') },
      'odd spacing and empty values',
      /request .*\n +field line 4 has other white space\n +straight {2}X-Tight:v\n +gateway {3}X-Tight: v\n/,
    ],
    [
      'repeated lines into one',
      { response: (text) => text.replace('Vary: a\r\nVary: b\r\n', 'Vary: a, b\r\n') },
      'repeated field lines',
      /response .*\n +field line 5 is merged with others of its name\n +straight {2}Vary: a\n +gateway {3}Vary: a, b\n/,
    ],
    [
      'the reason',
      { response: (text) => text.replace('529 Site is overloaded', '529 unknown') },
      '529 with a reason of its own',
      /start line is another one\n +straight {2}HTTP\/1\.1 529 Site is overloaded\n/,
    ],
    [
      'trailers, by dropping one',
      { response: (text) => text.replace(lines('x-usage'), '') },
      'trailers',
      /response .*\n +trailer 2 is missing\n +straight {2}x-usage: {2}8\n +gateway {3}\(nothing\)\n/,
    ],
    [
      'chunk boundaries of an answer',
      { response: (text) => text.replace('b\r\ndata: one\n\n\r\n', '4\r\ndata\r\n7\r\n: one\n\n\r\n') },
      'streamed events, one by one',
      /chunk boundaries differ from chunk 1 of 5 on\n +straight {2}b b b b 0\n +gateway {3}4 7 /,
    ],
    [
      'chunk boundaries of an upload',
      { request: (text) => text.replace('00B\r\n', 'b\r\n') },
      'a chunked upload, chunk by chunk',
      /request .*\n +chunk boundaries differ from chunk 2 of 4 on\n +straight {2}00B 1 000\n +gateway {3}b 1 000\n/,
    ],
    [
      'a byte of 3 MB',
      { response: (text) => (text.length > 10_000 ? `${text.slice(0, -1)}${text.endsWith('x') ? 'y' : 'x'}` : text) },
      'bodies of 3 MB',
      /response .*\n +content differs from byte \d+ on\n/,
    ],
    [
      'an interim response, by dropping it',
      { response: (text) => text.replace(/^HTTP\/1\.1 103 (?:.*\r\n)+?\r\n/, '') },
      'an interim 103',
      /interim response 1 is missing\n +straight {2}HTTP\/1\.1 103 Early Hints\n/,
    ],
    [
      'a short answer, by making it look whole',
      { response: (text) => text.replace('Content-Length: 10\r\n\r\nhalf', 'Content-Length: 4\r\n\r\nhalf') },
      'an answer that breaks off, with a length',
      /end is another one\n +straight {2}cut\n +gateway {3}whole\n/,
    ],
    [
      'the case of whole lines, the credential included',
      { request: (text) => text.replace(/^X-Api-Key: .*$/m, (line) => line.toUpperCase()) },
      'a key in x-api-key',
      /request has not reached the origin|flow has not reached the origin/,
    ],
  ]

  for (const [change, edits, trial, finding] of changes) {
    it(`a proxy is found out that changes ${change}`, async () => {
      await using proxy = await startChangingProxy(gateway.port, edits)
      const run = await diff(of('rec', '--gateway', proxy.url))
      assertNoSecrets(run)
      assert.equal(run.code, 1)
      assert.match(run.out, finding)
      assert.equal(
        run.out.split('\n').at(-2),
        `${BATTERY.length - 1} of ${BATTERY.length} the same; different: ${trial}`,
      )
    })
  }

  it('a proxy that changes nothing is not', async () => {
    await using proxy = await startChangingProxy(gateway.port, {})
    assertSame(await diff(of('rec', '--gateway', proxy.url)))
  })

  it('a proxy is found out that holds back a stream', async () => {
    let held = ''
    const hold = (text: string): string => {
      if (held === '' && !text.includes('text/event-stream')) return text
      held += text
      if (!held.endsWith('0\r\n\r\n')) return ''
      const whole = held
      held = ''
      return whole
    }
    await using proxy = await startChangingProxy(gateway.port, { response: hold })
    const { code, out } = await diff(of('rec', '--gateway', proxy.url))
    assert.equal(code, 1)
    assert.match(out, /DIFFERENT {2}streamed events.*\n.*\n.*\n +flow is held back: a piece of it was not passed on/)
  })

  it('nothing to compare is an error', async () => {
    const refused = await diff(of('rec', '--gateway', gateway.url), { env: { FLUXGATE_DIFF_KEY: 'none-of-its-keys' } })
    assert.equal(refused.code, 1)
    assert.match(refused.error, /^error: the gateway at .* does not pass requests on to http:\/\/127\..*; it answered /)
    assert.match(refused.error, /HTTP\/1\.1 401 Unauthorized \(x-fluxgate-error: fluxgate_unauthorized\)\n$/)
    assertNoSecrets(refused, 'none-of-its-keys')

    const absent = await diff(of('rec', '--gateway', 'http://127.0.0.1:1'))
    assert.deepEqual(
      [absent.code, absent.error],
      [
        1,
        'error: the gateway at http://127.0.0.1:1 cannot be reached: connection refused; start it, or say with --gateway where it is\n',
      ],
    )

    const tls = await diff(of('login', '--gateway', gateway.url))
    assert.equal(tls.code, 1)
    assert.match(tls.error, /^error: the recording origin takes the place of target_url of login, which must be http:/)
  })
})
