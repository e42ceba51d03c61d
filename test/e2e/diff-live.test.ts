/** `fluxgate diff --upstream`: a provider, straight and through a gateway that runs. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { STAND_IN_KEY, type StandIn, startStandIn } from '../../src/tools/stand-in/stand-in.ts'
import { ok } from '../support/bytes.ts'
import { CA, SERVER_CERTIFICATE, SERVER_KEY } from '../support/certificates.ts'
import { type Edits, startChangingProxy } from '../support/changing-proxy.ts'
import { diff, type Run } from '../support/diff-command.ts'
import { CLIENT_KEY, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { latin1 } from '../support/raw-client.ts'
import { PemFolder } from '../support/tls-gateway.ts'

const CHAT = '{"model":"stand-in-1","messages":[{"role":"user","content":"Hello!"}]}'
const STREAM = '{"model":"stand-in-1","stream":true,"messages":[{"role":"user","content":"Hello!"}]}'
const CHAT_PATH = ['--path', '/v1/chat/completions', '--body', '-']

function assertNoSecrets({ out, error }: Run): void {
  for (const secret of [CLIENT_KEY, PROVIDER_KEY, STAND_IN_KEY]) {
    assert.ok(!`${out}${error}`.includes(secret), `a secret in ${out}${error}`)
  }
}

function assertSame(run: Run): void {
  assert.equal(run.error, '')
  assert.ok(run.out.endsWith('\n2 of 2 the same\n'), run.out)
  assert.equal(run.code, 0)
  assertNoSecrets(run)
}

describe('a provider', () => {
  let standIn: StandIn
  let origin: Origin
  let gateway: RunningGateway
  before(async () => {
    standIn = await startStandIn({ tokenDelayMs: 1 })
    origin = await startOrigin()
    const target_url = `http://127.0.0.1:${standIn.port}`
    gateway = await startGateway({
      upstreams: {
        openai: { request_path: '/openai', target_url, api_key: STAND_IN_KEY },
        claude: { request_path: '/claude', target_url, api_key: STAND_IN_KEY, credential: 'x-api-key' },
        wrong: { request_path: '/wrong', target_url, api_key: PROVIDER_KEY },
        scripted: { request_path: '/s', target_url: `${origin.url}/base`, api_key: PROVIDER_KEY },
        down: { request_path: '/down', target_url: 'http://127.0.0.1:1', api_key: PROVIDER_KEY },
      },
    })
  })
  after(() => Promise.all([gateway.stop(), standIn.close(), origin.close()]))

  const of = (upstream: string, ...args: string[]): string[] => {
    return ['--config', gateway.configPath, '--upstream', upstream, '--gateway', gateway.url, ...args]
  }

  it('has its list of models compared, asked twice straight', async () => {
    const seen = standIn.requests.length
    const run = await diff(of('openai'))
    assertSame(run)
    assert.equal(standIn.requests.length - seen, 3)
    assert.match(
      run.out,
      /^request: {2}GET, upstream openai; the provider gets it three times, two of them straight\nstraight: http:.*\/v1\/models\ngateway: .*\/openai\/v1\/models\n/,
    )
    assert.match(run.out, /has another value \(differs, volatile by nature\)\n +straight {2}x-request-id: /)
    assert.match(run.out, /asked twice straight, the provider gave the same content: so it counts\n/)
  })

  it('is asked once straight where an answer costs something', async () => {
    const seen = standIn.requests.length
    const run = await diff(of('openai', ...CHAT_PATH), { input: CHAT })
    assertSame(run)
    assert.equal(standIn.requests.length - seen, 2)
    assert.match(run.out, /^request: {2}POST, upstream openai; the provider gets it twice, and may charge for both\n/)
    assert.match(run.out, /content {3}straight, the provider was asked once only/)
  })

  it('has its streams compared', async () => {
    const run = await diff(of('openai', ...CHAT_PATH), { input: STREAM })
    assertSame(run)
    assert.match(
      run.out,
      /replayed .*\n +request {3}POST \/v1\/chat\/completions HTTP\/1\.1, .*\n +response {2}HTTP\/1\.1 200 OK, .* in \d\d chunks /,
    )
  })

  it('gets its key in the field that the configuration names', async () => {
    assertSame(
      await diff(of('claude', '--header', 'anthropic-version: 2023-06-01', '--path', '/v1/messages', '--body=-')),
    )
  })

  it('that refuses its key is the same both ways', async () => {
    const run = await diff(of('wrong'))
    assertSame(run)
    assert.match(run.out, /HTTP\/1\.1 401 Unauthorized/)
  })

  it('takes a key from stdin', async () => {
    assertSame(
      await diff(of('openai', '--key-file', '-'), { input: `${CLIENT_KEY}\n`, env: { FLUXGATE_DIFF_KEY: 'x' } }),
    )
  })

  /** Each request is answered with the next of these. */
  function answerInTurn(...answers: string[]): void {
    origin.answer = async (request) => {
      await request.ended()
      await request.connection.write(latin1(answers.shift() ?? 'HTTP/1.1 500 None left\r\nContent-Length: 0\r\n\r\n'))
    }
  }

  it('that does not repeat itself is told from a gateway that changes something', async () => {
    // The first one goes through the gateway, the two that follow come straight.
    answerInTurn(ok('[1,2]', 'X-Pod: a'), ok('[2,1]', 'X-Pod: b'), ok('[1,2]', 'X-Pod: c'))
    const run = await diff(of('scripted'))
    assertSame(run)
    assert.match(run.out, /field line 1 has another value \(differs, volatile by nature\)\n +straight {2}X-Pod: b\n/)
    assert.match(run.out, /content differs from byte 1 on: .* \(differs, not repeatable: it does not count\)\n/)
    assert.match(run.out, /gave two contents: so it counts in the replay only\n/)
  })

  it('that repeats itself shows that a gateway has changed content', async () => {
    answerInTurn(ok('[1,2]', 'X-Pod: a'), ok('[2,1]', 'X-Pod: a'), ok('[2,1]', 'X-Pod: a'))
    const { code, out } = await diff(of('scripted'))
    assert.equal(code, 1)
    assert.match(out, /DIFFERENT {2}two answers of the provider/)
    assert.match(
      out,
      /content differs from byte 1 on: other values in \[\]\n +straight {2}\[2,1\]\n +gateway {3}\[1,2\]\n/,
    )
    assert.match(out, /\n1 of 2 the same; different: two answers/)
  })

  it('has the content of a POST counted with --strict', async () => {
    for (const [args, code] of [
      [[], 0],
      [['--strict'], 1],
    ] as const) {
      answerInTurn(ok('{"id":1}'), ok('{"id":22}'))
      const run = await diff(of('scripted', '--body=-', ...args), { input: '{}' })
      assert.equal(run.code, code, run.out)
      assert.match(run.out, /content differs from byte 6 on: other values in id/)
      assert.match(
        run.out,
        /field line 1 has another value.*\n +straight {2}Content-Length: 9\n +gateway {3}Content-Length: 8\n/,
      )
    }
  })

  it('has its answer replayed byte for byte, whatever it is', async () => {
    const answer =
      'HTTP/1.1 103 H\r\nlink:  a\r\n\r\nHTTP/1.1 200 \xe9\r\nx-A:  1 \r\nX-A:1\r\nTransfer-Encoding: chunked\r\n\r\n02;x\r\nhi\r\n0\r\nX: 1\r\n\r\n'
    answerInTurn(answer, answer)
    const run = await diff(of('scripted', '--body=-'), { input: '{}' })
    assertSame(run)
    assert.match(
      run.out,
      /replayed .*\n.*\n +response {2}1 interim response, HTTP\/1\.1 200 \\xe9, 3 field lines, 2 bytes in 1 chunk \(.*\), 1 trailer\n/,
    )
  })

  it('that echoes a key does not get it printed', async () => {
    const answers = ['a', 'b'].map((x) => ok(`{"${x}":"key ${PROVIDER_KEY} is no good"}`, `X-Key: ${PROVIDER_KEY}${x}`))
    answerInTurn(...answers)
    const run = await diff(of('scripted', '--body=-'), { input: '{}' })
    assert.equal(run.code, 1)
    assertNoSecrets(run)
    assert.match(run.out, /straight {2}X-Key: \*\*\*b\n +gateway {3}X-Key: \*\*\*a\n/)
    assert.match(run.out, /straight {2}\{"b":"key \*\*\* is no good"\}\n/)
  })

  const changes: readonly (readonly [name: string, edits: Edits, finding: RegExp])[] = [
    [
      'the spelling of a name',
      { response: (text) => text.replace('\r\nDate:', '\r\ndate:') },
      /field line \d has another spelling of the name.*\n +straight {2}Date: /,
    ],
    [
      'an answer, by a line of its own',
      { response: (text) => text.replace('\r\nDate:', '\r\nServer: proxy\r\nDate:') },
      /field line \d is added\n +straight {2}\(nothing\)\n +gateway {3}Server: proxy\n/,
    ],
    [
      'content',
      { response: (text) => text.replace('"stand-in-1"', '"stand-in-2"') },
      /content differs from byte \d+ on: other values in data\[\]\.id\n/,
    ],
  ]
  for (const [change, edits, finding] of changes) {
    it(`is not what a proxy makes of it that changes ${change}`, async () => {
      await using proxy = await startChangingProxy(gateway.port, edits)
      const run = await diff([...of('openai').slice(0, -1), proxy.url])
      assert.equal(run.code, 1)
      assert.match(run.out, finding)
      assertNoSecrets(run)
    })
  }

  it('is not asked where the gateway refuses', async () => {
    const seen = standIn.requests.length
    const wrongKey = await diff(of('openai'), { env: { FLUXGATE_DIFF_KEY: 'none-of-its-keys' } })
    assert.equal(wrongKey.code, 1)
    assert.match(
      wrongKey.out,
      /DIFFERENT {2}the gateway at http:\/\/.* answered by itself; nothing was sent straight\n/,
    )
    assert.match(
      wrongKey.out,
      /401 Unauthorized, x-fluxgate-error: fluxgate_unauthorized\n {2}the key that was given is none of/,
    )
    assert.doesNotMatch(wrongKey.out, /none-of-its-keys/)
    const noProvider = await diff(of('down'))
    assert.equal(noProvider.code, 1)
    assert.match(noProvider.out, /502 Bad Gateway, x-fluxgate-error: fluxgate_connect_refused\n/)
    assert.equal(standIn.requests.length, seen)
  })

  for (const [what, text, said] of [
    ['something that is no HTTP', 'SSH-2.0-x\x1b[31m\r\n\r\n', /it speaks no HTTP\/1\.1: SSH-2\.0-x\\x1b\[31m\n$/],
    ['nothing', '', /it closed the connection\n$/],
    [
      'a head without an end',
      `HTTP/1.1\r\n${`${CLIENT_KEY}: 1\r\n`.repeat(40_000)}`,
      /head .* larger than 1 MiB: HTTP\/1\.1\n$/,
    ],
  ] as const) {
    it(`is not asked where ${what} stands in the place of the gateway`, async () => {
      const seen = standIn.requests.length
      await using other = await startOrigin(async ({ connection }) => {
        await connection.write(text)
        await connection.fin()
      })
      const run = await diff([...of('openai').slice(0, -1), other.url])
      assert.equal(run.code, 1)
      assert.match(run.error, /^error: the gateway at http:\/\/127\.0\.0\.1:\d+ gave no answer: /)
      assert.match(run.error, said)
      assertNoSecrets(run)
      assert.equal(standIn.requests.length, seen)
    })
  }

  it('is not asked where the gateway does not speak TLS', async () => {
    const run = await diff([...of('openai').slice(0, -1), gateway.url.replace('http:', 'https:')])
    assert.equal(run.code, 1)
    assert.match(
      run.error,
      /^error: the gateway at https:.* cannot be reached: it does not speak TLS: is it http:\/\/ \?/,
    )
  })

  it('does not get its key printed that was written on the command line', async () => {
    const args = ['--header', 'x-fluxgate-key: {key}', '--header', 'Authorization: Bearer written-out']
    answerInTurn(...['a', 'b', 'c'].map((x) => ok(`{"${x}":"written-out"}`, `X-${x}: key=written-out`)))
    const run = await diff(of('scripted', ...args, '--path', '/x?a=1&key=in-the-query'))
    assert.doesNotMatch(`${run.out}${run.error}`, /written-out|in-the-query/)
    assertNoSecrets(run)
  })

  it('is not asked where no gateway runs', async () => {
    const seen = standIn.requests.length
    const run = await diff([...of('openai').slice(0, -1), 'http://127.0.0.1:1'])
    assert.equal(run.code, 1)
    assert.equal(
      run.error,
      'error: the gateway at http://127.0.0.1:1 cannot be reached: connection refused; start it, or say with --gateway where it is\n',
    )
    assert.equal(standIn.requests.length, seen)
  })

  it('needs to be one that is configured, with a key', async () => {
    const unknown = await diff(of('nobody'))
    assert.equal(unknown.code, 2)
    assert.equal(
      unknown.error,
      'error: the configuration has no upstream nobody; it has: openai, claude, wrong, scripted, down\n',
    )
    const keyless = await diff(of('openai'), { env: { FLUXGATE_DIFF_KEY: '' } })
    assert.equal(keyless.code, 2)
    assert.match(keyless.error, /^error: a gateway key is needed: /)
    const absent = await diff(['--upstream', 'openai', '--config', '/nonexistent/x.yaml'])
    assert.equal(absent.code, 2)
    assert.match(absent.error, /^error: \/nonexistent\/x\.yaml: does not exist\n$/)
    const mistaken = await diff(['--upstream', 'openai', '--direct', '--strict'])
    assert.equal(mistaken.code, 2)
    assert.match(
      mistaken.error,
      /^error: the argument '--strict' cannot be used with '--direct'\n\nUsage: fluxgate diff /,
    )
  })
})

describe('a provider that is slow', () => {
  const times = (responseMs: number, idleMs: number): object => {
    return { response_timeout_ms: responseMs, idle_timeout_ms: idleMs }
  }

  it('is waited for as long as the gateway waits for it', async () => {
    await using origin = await startOrigin(async ({ connection }) => {
      await setTimeout(2_500)
      await connection.write(ok('{}'))
    })
    const upstream = { request_path: '/up', target_url: origin.url, api_key: PROVIDER_KEY, ...times(20_000, 300) }
    await using gateway = await startGateway({ upstreams: { up: upstream } })
    assertSame(await diff(['--config', gateway.configPath, '--upstream', 'up', '--gateway', gateway.url, '--body=-']))
  })

  it('without an end is no answer that could be the same', async () => {
    const half = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'
    await using origin = await startOrigin(async ({ connection }) => {
      await connection.write(half)
    })
    // The gateway that runs waits for longer than the file says that is read.
    const upstream = { request_path: '/up', target_url: origin.url, api_key: PROVIDER_KEY }
    await using gateway = await startGateway({ upstreams: { up: upstream } })
    const impatient = path.join(gateway.directory, 'impatient.yaml')
    const keys = { static: [{ key: CLIENT_KEY }] }
    const upstreams = { up: { ...upstream, ...times(100, 100) } }
    writeFileSync(impatient, JSON.stringify({ version: 1, upstreams, api_keys: keys }))
    const run = await diff(['--config', impatient, '--upstream', 'up', '--gateway', gateway.url, '--body=-'])
    assert.equal(run.code, 1)
    assert.match(
      run.out,
      /end cannot be compared\n +straight {2}unreadable: nothing came for 2\.1 s\n +gateway {3}unreadable: nothing/,
    )
  })
})

it('a provider over TLS is verified, by the settings of its upstream', async () => {
  await using origin = await startOrigin(ok('{}'), { tls: { cert: SERVER_CERTIFICATE, key: SERVER_KEY } })
  await using gateway = await startGateway({})
  writeFileSync(path.join(gateway.directory, 'ca.pem'), CA)
  const upstream = { request_path: '/up', target_url: origin.url, api_key: PROVIDER_KEY }
  const args = ['--config', gateway.configPath, '--upstream', 'up', '--gateway', gateway.url]
  gateway.rewrite({ upstreams: { up: { ...upstream, tls: { ca: 'ca.pem' } } } })
  await gateway.waitForLog('reloaded automatically')
  assertSame(await diff(args))
  // The gateway that runs knows the CA; the file that is read has forgotten it.
  const forgetful = path.join(gateway.directory, 'forgetful.yaml')
  writeFileSync(
    forgetful,
    JSON.stringify({ version: 1, upstreams: { up: upstream }, api_keys: { static: [{ key: CLIENT_KEY }] } }),
  )
  const unverified = await diff(['--config', forgetful, ...args.slice(2)])
  assert.equal(unverified.code, 1)
  assert.match(
    unverified.error,
    /^error: the provider at https:\/\/127\.0\.0\.1:\d+ cannot be reached: unable to verify the first certificate/,
  )
})

it('the gateway is found where the configuration says, and needs no key where nobody does', async () => {
  await using origin = await startOrigin(ok('{}'))
  const config = {
    version: 1,
    server: { allow_anonymous: true },
    upstreams: { up: { request_path: '/', target_url: origin.url, api_key: PROVIDER_KEY } },
  }
  await using gateway = await startGateway(config)
  const bound = path.join(gateway.directory, 'bound.yaml')
  const server = { ...config.server, bind_address: `0.0.0.0:${gateway.port}` }
  writeFileSync(bound, JSON.stringify({ ...config, server }))
  const run = await diff(['--config', bound, '--upstream', 'up'], { env: { FLUXGATE_DIFF_KEY: '' } })
  assertSame(run)
  assert.ok(run.out.includes(`gateway:  http://127.0.0.1:${gateway.port}/v1/models\n`))
})

describe('a gateway that speaks TLS', () => {
  const pems = new PemFolder()
  let origin: Origin
  let gateway: RunningGateway
  before(async () => {
    origin = await startOrigin()
    const upstreams = { up: { request_path: '/up', target_url: origin.url, api_key: PROVIDER_KEY } }
    gateway = await startGateway({ server: { tls: pems.pair }, upstreams })
  })
  after(async () => {
    await Promise.all([gateway.stop(), origin.close()])
    pems[Symbol.dispose]()
  })

  it('is believed if an authority that was named signs for it', async () => {
    const named = ['--config', gateway.configPath, '--upstream', 'up', '--gateway', `https://127.0.0.1:${gateway.port}`]
    assertSame(await diff([...named, '--gateway-ca', pems.file('ca.pem')]))
    const run = await diff(named)
    assert.equal(run.code, 1)
    assert.match(run.error, /cannot be reached: .*certificate.*; name the certificates to trust with --gateway-ca\n$/)
    const missing = await diff([...named, '--gateway-ca', pems.file('none.pem')])
    assert.deepEqual([missing.code, missing.error], [2, `error: ${pems.file('none.pem')} cannot be read: ENOENT\n`])
  })

  it('is believed where it is described if it shows the certificate that the configuration names', async () => {
    const { port } = gateway
    const described = path.join(gateway.directory, 'described.yaml')
    const config = JSON.parse(readFileSync(gateway.configPath, 'utf8'))
    writeFileSync(
      described,
      JSON.stringify({ ...config, server: { ...config.server, bind_address: `0.0.0.0:${port}` } }),
    )
    assertSame(await diff(['--config', described, '--upstream', 'up']))
  })
})
