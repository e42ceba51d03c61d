import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Watch } from '../support/deadline.ts'
import { type ConfigObject, startGateway } from '../support/gateway.ts'
import { startLoad } from '../support/load.ts'
import { type OriginRequest, startOrigin } from '../support/origin.ts'

/**
 * Every generation has its own client key, provider key and base path, so that a request served by parts of two of them shows.
 * It also lets in the client key of the generation before, so that no request that is on its way at a reload is refused.
 */
function configuration(generation: number, originUrl: string): ConfigObject {
  const clientKey = (each: number) => ({ id: `client-${each} of ${generation}`, key: `client-key-of-${each}` })
  return {
    api_keys: { static: [clientKey(generation - 1), clientKey(generation)] },
    upstreams: {
      up: { request_path: '/up', target_url: `${originUrl}/${generation}`, api_key: `provider-key-of-${generation}` },
    },
  }
}

const RELOADS = 50
/** Requests to be answered between two reloads at least. */
const BETWEEN = 32

/** The upstream's side: which generation served a request, and what of it is not of that generation. */
class Generations {
  readonly mixed: string[] = []
  readonly #seen = new Set<number>()
  readonly #watch = new Watch()

  answer = async (request: OriginRequest): Promise<void> => {
    await request.ended()
    const [, generation, clientKey, n] = request.target.split('/').map(Number) as [number, number, number, number]
    if (request.message.value('authorization') !== `Bearer provider-key-of-${generation}`)
      this.mixed.push(`${request.message.startLine} ${request.message.value('authorization')}`)
    if (clientKey !== generation && clientKey !== generation - 1)
      this.mixed.push(`${request.message.startLine}, let in with a key of ${clientKey}`)
    const content = `${generation} ${clientKey} ${n}`
    await request.connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${content.length}\r\n\r\n${content}`)
    if (this.#seen.has(generation)) return
    this.#seen.add(generation)
    this.#watch.notice()
  }

  /** The first request of this generation has arrived. */
  async live(generation: number): Promise<void> {
    await this.#watch.until(() => this.#seen.has(generation), `generation ${generation}`)
  }
}

test('50 reloads under 1000 requests a second: none fails, and each sees one whole configuration', async () => {
  const generations = new Generations()
  await using origin = await startOrigin(generations.answer)
  await using gateway = await startGateway(configuration(0, origin.url))
  /** Which client key each request was sent with. */
  const keyOf: number[] = []
  let current = 0
  using load = await startLoad({
    port: gateway.port,
    connections: 32,
    perSecond: 1000,
    request: (n) => {
      keyOf[n] = current
      const content = '{"model":"gpt-4o-mini"}'
      return `POST /up/${current}/${n} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer client-key-of-${current}\r\nContent-Length: ${content.length}\r\n\r\n${content}`
    },
    judge: (response, n) =>
      response.status === 200 && response.text.endsWith(` ${keyOf[n]} ${n}`)
        ? undefined
        : `${response.startLine} ${response.text}`,
  })
  const slow: string[] = []
  for (let generation = 1; generation <= RELOADS; generation++) {
    await load.untilMore(BETWEEN)
    // Requests that are still on their way with the key that the next generation does not know are legitimately refused.
    await load.until(() => load.pending().every((n) => keyOf[n] === current), 'all requests to have the newest key')
    gateway.rewrite(configuration(generation, origin.url))
    const savedAt = performance.now()
    // Every other one is announced, which is the other way in; and so the reloads come in quick succession.
    if (generation % 2 === 0) gateway.signal('SIGHUP')
    await generations.live(generation)
    const elapsed = performance.now() - savedAt
    if (elapsed >= 1000) slow.push(`generation ${generation}: ${elapsed.toFixed(0)} ms`)
    current = generation
  }
  await load.untilMore(BETWEEN)
  await load.stop()
  assert.deepEqual(load.failures, [])
  assert.deepEqual(generations.mixed, [])
  // Most of them: a few may meet a machine that is busy with other things.
  assert.ok(slow.length < RELOADS / 4, slow.join('\n'))
  assert.equal(load.ended, 0, 'no connection was dropped')
  assert.deepEqual(origin.failures, [])

  await gateway.until(() => gateway.records().length >= load.sent, 'every record')
  assert.equal(gateway.records().length, load.sent)
  const torn = gateway.records().filter((record) => {
    const [, generation, clientKey] = new URL(record.target_url!).pathname.split('/')
    return record.api_key !== `client-${clientKey} of ${generation}`
  })
  assert.deepEqual(torn, [], 'the key that was recognised and the target belong to one generation')
})
