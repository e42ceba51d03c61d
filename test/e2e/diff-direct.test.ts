/** `fluxgate diff --direct`: no provider, a recording origin instead. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { BATTERY } from '../../src/tools/diff/battery.ts'
import { type Edits, startChangingProxy } from '../support/changing-proxy.ts'
import { diff, type Run } from '../support/diff-command.ts'
import { CLIENT_KEY, type ConfigObject, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'

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

const NGINX = ORIGIN.replace(':9100', ':9101')
const NGINX_COMMAND = process.env.NGINX ?? 'nginx'
const HAS_NGINX = spawnSync(NGINX_COMMAND, ['-v']).status === 0

/** In front of the gateway, and as careful as it can be made to be. */
async function startNginx(gateway: RunningGateway): Promise<AsyncDisposable & { readonly url: string }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'fluxgate-nginx-'))
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  )
  writeFileSync(
    path.join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/pid; error_log stderr notice;
events {}
http {
  access_log off; ${temporary.join(' ')}
  server {
    listen ${NGINX};
    location / {
      proxy_pass ${gateway.url}; proxy_http_version 1.1; proxy_set_header Connection "";
      client_max_body_size 0; proxy_buffering off; proxy_request_buffering off;
    }
  }
}`,
  )
  const child = spawn(NGINX_COMMAND, ['-c', path.join(folder, 'nginx.conf')], { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(child, 'exit')
  // Its first notice comes when it listens. Its stderr stays open: before it has begun to serve, a broken pipe ends it.
  let said = ''
  const listening = new Promise<void>((resolve) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (/event method/.test((said += text))) resolve()
    })
  })
  await Promise.race([listening, ended])
  assert.match(said, /event method/)
  return {
    url: `http://${NGINX}`,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true })
    },
  }
}

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
      'the order of lines',
      { response: (text) => text.replace(/(Vary: a\r\n)(Vary: b\r\n)/, '$2$1') },
      'repeated field lines',
      /response .*\n +field line 5 is out of order: it is line 6 there\n +straight {2}Vary: a\n +gateway {3}Vary: a\n/,
    ],
    [
      'names into lower case',
      { response: (text) => text.replace('\r\nSERVER:', '\r\nserver:') },
      'odd spelling of field names',
      /response .*\n +field line 2 has another spelling of the name\n +straight {2}SERVER: edge\n +gateway {3}server: edge\n/,
    ],
    [
      'an answer, by a Via of its own',
      { response: (text) => text.replace('\r\nETag: W/"x"', '\r\nETag: W/"x"\r\nVia: 1.1 proxy') },
      'compressed bodies',
      /response .*\n +field line 3 is added\n +straight {2}\(nothing\)\n +gateway {3}Via: 1\.1 proxy\n/,
    ],
    [
      'one byte of a compressed body',
      { request: (text) => text.replace('\x1f\x8b\x08\x00', '\x1f\x8b\x08\x01') },
      'compressed bodies',
      /request .*\n +content differs from byte 3 on\n/,
    ],
    [
      'chunks, by merging two',
      { request: (text) => text.replace('00a;x=1\r\n0123456789\r\nB\r\nhello', '15\r\n0123456789hello') },
      'odd chunk sizes and chunk extensions',
      /chunk boundaries differ from chunk 1 of 3 on\n +straight {2}00a B 00\n +gateway {3}15 00\n/,
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

  it('an nginx is found out', { skip: HAS_NGINX ? false : 'there is no nginx' }, async () => {
    await using nginx = await startNginx(gateway)
    const run = await diff(of('rec', '--gateway', nginx.url))
    assert.deepEqual([run.code, run.error], [1, ''])
    assertNoSecrets(run)
    for (const finding of [
      /field line 1 is added\n +straight {2}\(nothing\)\n +gateway {3}Server: nginx/,
      /field line \d is missing\n +straight {2}x_Under: 1\n/,
      /trailer 1 is missing\n +straight {2}X-Usage:7\n/,
      /straight {2}HTTP\/1\.1 100 Go on\n +gateway {3}HTTP\/1\.1 100 Continue\n/,
      /framing is another one\n +straight {2}until-close\n +gateway {3}chunked\n/,
    ]) {
      assert.match(run.out, finding)
    }
  })

  it('what stands in the place of the gateway writes nothing of its own to the terminal', async () => {
    await using other = await startOrigin(`HTTP/1.1 500 ${CLIENT_KEY}\x1b[31m\r\nContent-Length: 0\r\n\r\n`)
    const run = await diff(of('rec', '--gateway', other.url))
    assert.equal(run.code, 1)
    assert.match(run.error, /it answered HTTP\/1\.1 500 \*\*\*\\x1b\[31m\n$/)
    assertNoSecrets(run)
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
