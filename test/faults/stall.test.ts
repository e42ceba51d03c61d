import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openBlackHole } from '../support/black-hole.ts'
import { get, ok, post, upTo } from '../support/bytes.ts'
import { CLIENT_KEY, type ConfigObject, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { OK, type Origin, startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'
import { assertAftermath } from './aftermath.ts'

/**
 * Every timeout that there is. A gateway that runs keeps each; one that stands still can only look back. It looks four times in the
 * time of a timeout whether anything has come, so the stall that could mislead it begins after the third look.
 */
const TIMEOUT_MS = 4000
const QUIET_MS = 3200
const OVER_MS = 5200

/** After some time of silence the process stands still until every timeout is over; meanwhile both sides write. */
async function whileItStandsStill(
  gateway: RunningGateway,
  write: () => Promise<unknown>,
  quietMs = QUIET_MS,
): Promise<void> {
  await sleep(quietMs)
  gateway.signal('SIGSTOP')
  try {
    await write()
    await sleep(OVER_MS - quietMs)
  } finally {
    gateway.signal('SIGCONT')
  }
}

const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

function impatient(origin: Origin, more: ConfigObject = {}): ConfigObject {
  return {
    server: { head_timeout_ms: TIMEOUT_MS, body_timeout_ms: TIMEOUT_MS, keep_alive_timeout_ms: TIMEOUT_MS },
    ...upTo(origin, { response_timeout_ms: TIMEOUT_MS, idle_timeout_ms: TIMEOUT_MS, ...more }),
  }
}

describe('the process stands still', { concurrency: true }, () => {
  test('while the rest of a head arrives: it is no slow head', async () => {
    await using origin = await startOrigin()
    await using gateway = await startGateway(impatient(origin))
    using client = await connect(gateway.port)
    const head = get('/up/x')
    await client.write(head.slice(0, 30))
    // An answer on another connection: what was written before that has been read.
    using other = await connect(gateway.port)
    void other.write(get('/nowhere'))
    await other.response()
    await whileItStandsStill(gateway, () => client.write(head.slice(30)))
    assert.equal((await client.response()).status, 200)
  })

  test('while an idle client sends its next request: the client is not hung up on', async () => {
    await using origin = await startOrigin()
    await using gateway = await startGateway(impatient(origin))
    using client = await connect(gateway.port)
    void client.write(get('/up/1'))
    await client.response()
    await whileItStandsStill(gateway, () => client.write(get('/up/2')))
    assert.equal((await client.response(1)).status, 200)
    await assertAftermath(gateway, '200 complete -', '200 complete -')
  })

  test('while the rest of an upload arrives: it is no silence', async () => {
    await using origin = await startOrigin()
    await using gateway = await startGateway(impatient(origin))
    using client = await connect(gateway.port)
    void client.write(
      `POST /up/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${CLIENT_KEY}\r\nContent-Length: 10\r\n\r\nhello`,
    )
    const request = await origin.request()
    await request.until(() => request.text === 'hello', 'the first half')
    await whileItStandsStill(gateway, () => client.write('world'))
    assert.equal((await client.response()).status, 200)
    assert.equal(request.text, 'helloworld')
    await assertAftermath(gateway, '200 complete -')
  })

  test('while the upstream answers: it is no 504', async () => {
    await using origin = await startOrigin(() => {})
    await using gateway = await startGateway(impatient(origin))
    using client = await connect(gateway.port)
    void client.write(post('/up/x', 'content'))
    const request = await origin.request()
    await request.ended()
    await whileItStandsStill(gateway, () => request.connection.write(ok('fine')))
    assert.equal((await client.response()).text, 'fine')
    await assertAftermath(gateway, '200 complete -')
  })

  test('while a stream goes on: it is not cut', async () => {
    await using origin = await startOrigin(({ connection }) => void connection.write(`${chunked}5\r\nfirst\r\n`))
    await using gateway = await startGateway(impatient(origin))
    using client = await connect(gateway.port)
    void client.write(post('/up/x', 'content'))
    await client.untilContent('first')
    const { connection } = await origin.request()
    await whileItStandsStill(gateway, () => connection.write('6\r\nsecond\r\n'))
    await client.untilContent('second')
    await connection.write('0\r\n\r\n')
    assert.equal((await client.response()).text, 'firstsecond')
    await assertAftermath(gateway, '200 complete -')
  })

  test('while the rest of an answer arrives that has to be whole in time: it is whole', async () => {
    await using origin = await startOrigin(({ connection }) => void connection.write(`${chunked}5\r\nfirst\r\n`))
    await using gateway = await startGateway(impatient(origin, { request_timeout_ms: TIMEOUT_MS }))
    using client = await connect(gateway.port)
    void client.write(post('/up/x', 'content'))
    await client.untilContent('first')
    const { connection } = await origin.request()
    await whileItStandsStill(gateway, () => connection.write('6\r\nsecond\r\n0\r\n\r\n'))
    const response = await client.response()
    assert.equal(`${response.text} ${response.state}`, 'firstsecond complete')
    await assertAftermath(gateway, '200 complete -')
  })

  test('while an upstream accepts: it is no 504', async () => {
    using hole = await openBlackHole()
    await using gateway = await startGateway({
      upstreams: {
        up: {
          request_path: '/up',
          target_url: `http://127.0.0.1:${hole.port}`,
          api_key: PROVIDER_KEY,
          connect_timeout_ms: TIMEOUT_MS,
        },
      },
    })
    using client = await connect(gateway.port)
    void client.write(get('/up/x'))
    using other = await connect(gateway.port)
    void other.write(get('/nowhere'))
    await other.response()
    // From the beginning: the kernel tries again by itself after one second, and then less and less often.
    await whileItStandsStill(gateway, async () => hole.open(), 0)
    assert.equal((await client.response()).text, 'late')
    await assertAftermath(gateway, '404 refused no_route', '200 complete -')
  })

  test('and nothing arrives: each timeout is kept all the same', async () => {
    await using origin = await startOrigin(async ({ connection, target }) => {
      if (target === '/stream') await connection.write(`${chunked}5\r\nfirst\r\n`)
      else if (target === '/whole') await connection.write(OK)
    })
    await using gateway = await startGateway(impatient(origin))
    using streaming = await connect(gateway.port)
    void streaming.write(get('/up/stream'))
    await streaming.untilContent('first')
    using idle = await connect(gateway.port)
    void idle.write(get('/up/whole'))
    await idle.response()
    using waiting = await connect(gateway.port)
    void waiting.write(get('/up/wait'))
    await origin.request(2)
    await whileItStandsStill(gateway, async () => {})
    assert.equal((await streaming.response()).state, 'truncated')
    assert.equal((await waiting.response()).status, 504)
    assert.equal(await idle.ended(), 'fin')
    await assertAftermath(gateway, '200 complete -', '200 timeout idle_timeout', '504 timeout response_timeout')
  })
})
