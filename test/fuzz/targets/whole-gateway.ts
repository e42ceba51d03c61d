import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { CLIENT_KEY, PROVIDER_KEY, type RunningGateway, startGateway } from '../../support/gateway.ts'
import { OK } from '../../support/origin.ts'
import { connect, type RawClient } from '../../support/raw-client.ts'
import { requestVectors } from '../corpus.ts'
import { findRequests, READERS, STRICT } from '../reference-reader.ts'
import type { TextTarget } from '../target.ts'
import { credentialsIn } from './credentials.ts'
import { SPICE } from './smuggling.ts'

/** Nothing has happened on any socket for so long: it is over, or waits for what will not come. */
const QUIET_MS = 12

/** An upstream that keeps what it gets as it is, and answers what a strict reader finds in it. */
class Recorder {
  readonly received: string[] = []
  lastAt = 0
  readonly #sockets = new Set<net.Socket>()
  readonly #server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.#accept(socket))

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  #accept(socket: net.Socket): void {
    const index = this.received.push('') - 1
    let answered = 0
    this.#sockets.add(socket)
    socket.on('data', (bytes) => {
      this.lastAt = performance.now()
      this.received[index] += bytes.toString('latin1')
      for (const found = findRequests(this.received[index]!, STRICT).ends.length; answered < found; answered++)
        socket.write(OK)
    })
    socket.on('end', () => socket.end())
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
  }

  /** What one client has brought about belongs to it alone. */
  reset(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.received.length = 0
  }

  close(): void {
    this.reset()
    this.#server.close()
  }
}

interface Lane {
  readonly gateway: RunningGateway
  readonly recorder: Recorder
  readonly authority: string
}

async function open(): Promise<Lane> {
  const recorder = new Recorder()
  const authority = `127.0.0.1:${await recorder.listen()}`
  const upstreams = { up: { request_path: '/up', target_url: `http://${authority}/up`, api_key: PROVIDER_KEY } }
  const gateway = await startGateway({ upstreams }, { env: { FLUXGATE_LOG: 'info' } })
  return { gateway, recorder, authority }
}

async function untilQuiet(client: RawClient, recorder: Recorder): Promise<void> {
  let seen = -1
  let since = performance.now()
  while (client.ending === undefined && performance.now() - Math.max(since, recorder.lastAt) < QUIET_MS) {
    if (client.receivedBytes !== seen) {
      seen = client.receivedBytes
      since = performance.now()
    }
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** What stands on one upstream connection: the same messages to every reader, each for this upstream and with its key. */
function checkUpstream(received: string, authority: string): number {
  const { ends, rest } = findRequests(received, STRICT)
  assert.notEqual(rest, 'nonsense', `a strict upstream would refuse ${JSON.stringify(received)}`)
  for (const reader of READERS)
    assert.deepEqual(
      findRequests(received, reader).ends,
      ends,
      `${reader.name} sees others in ${JSON.stringify(received)}`,
    )
  for (const [i, end] of ends.entries()) {
    const start = ends[i - 1] ?? 0
    const head = received.slice(start, received.indexOf('\r\n\r\n', start))
    assert.ok(end > start && head !== '')
    const lines = head.split('\r\n').slice(1)
    assert.match(head, /^\S+ \/up(?:[/?]\S*)? HTTP/)
    assert.deepEqual(
      lines.filter((line) => /^host:/i.test(line)).map((line) => line.slice(5).trim()),
      [authority],
    )
    const credentials = credentialsIn(lines)
    assert.ok(credentials.includes(PROVIDER_KEY) && !credentials.includes(CLIENT_KEY), head)
  }
  return ends.length
}

let lane: Promise<Lane> | undefined

export const wholeGateway: TextTarget = {
  name: 'whole-gateway',
  about: 'the same as smuggling, of a running gateway between sockets: some 100 inputs a second',
  corpus: () => requestVectors().filter((text) => !/Content-Length: \d{7}/.test(text)),
  spice: [
    ...SPICE,
    `Authorization: Bearer ${CLIENT_KEY}\r\n`,
    'x-fluxgate-key: ',
    'Expect: 100-continue\r\n',
    '/up',
    '..',
  ],
  async check(text) {
    const { gateway, recorder, authority } = await (lane ??= open())
    recorder.reset()
    using client = await connect(gateway.port)
    await client.write(text)
    await untilQuiet(client, recorder)
    assert.equal(gateway.exit, undefined, `it has ended: ${gateway.log().slice(-1_000)}`)
    assert.doesNotMatch(gateway.log(), /"level":"ERROR"/)
    const served = recorder.received.map((each) => checkUpstream(each, authority))
    assert.equal(client.fault, undefined, `the client cannot read ${JSON.stringify(client.received)}`)
    const whole = client.responses.filter(({ state }) => state === 'complete').map(({ status }) => status)
    const passed = served.reduce((sum, count) => sum + count, 0)
    assert.ok(whole.filter((status) => status === 200).length <= passed, 'an answer that nobody gave')
    return `${whole.slice(0, 3).join(' ')} ${client.ending ?? 'open'} ${Math.min(3, passed)}`
  },
  async close() {
    const opened = await lane
    lane = undefined
    opened?.recorder.close()
    await opened?.gateway.stop()
  },
}
