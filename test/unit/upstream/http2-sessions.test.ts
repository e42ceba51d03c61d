import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UpstreamConnection } from '../../../src/http/upstream-connection.ts'
import {
  type Http2Pool,
  Http2Sessions,
  type Http2Version,
  type ReachWaiter,
  type Undecided,
} from '../../../src/upstream/http2-sessions.ts'
import { events, type Told, upstreamAt } from './one-exchange.ts'

const UPSTREAM = upstreamAt(1)

/** A pool whose upstream decides when it is told to; `cancelled`: dials over HTTP/1 that were given up. */
class FakePool implements Http2Pool<Told> {
  readonly events = events
  readonly nowMs = 0
  readonly reached: ReachWaiter<Told>[] = []
  dialled = 0
  cancelled = 0

  reach(_upstream: unknown, _version: unknown, waiter: ReachWaiter<Told>): () => void {
    this.reached.push(waiter)
    return () => {}
  }

  connect(): () => void {
    this.dialled++
    return () => {
      this.cancelled++
    }
  }

  mayServe(): boolean {
    return true
  }

  mayStay(): boolean {
    return true
  }

  sessionOpened(): void {}
  sessionClosed(): void {}
}

/** What its handshake has shown to speak HTTP/1. */
function overHttp1(): Undecided<Told> {
  return { http1: { close() {} } as UpstreamConnection<Told> } as Undecided<Told>
}

function guest(
  sessions: Http2Sessions<Told>,
  onTold = (): void => {},
  version: Http2Version = 'either',
): { told: string[]; cancel: () => void } {
  const told: string[] = []
  const tell = (what: string): void => {
    told.push(what)
    onTold()
  }
  const cancel = sessions.connect(UPSTREAM, version, {
    trying() {},
    connected: () => tell('connected'),
    failed: tell,
  })
  return { told, cancel }
}

test('who gives up after the upstream has turned out to speak HTTP/1 gives up that dial as well', () => {
  const pool = new FakePool()
  const sessions = new Http2Sessions<Told>(pool)
  const guests = [guest(sessions), guest(sessions), guest(sessions)]
  pool.reached[0]!.connected(overHttp1())
  assert.deepEqual(guests[0]!.told, ['connected'])
  assert.equal(pool.dialled, 2)
  guests[1]!.cancel()
  assert.equal(pool.cancelled, 1)
  guests[2]!.cancel()
  assert.equal(pool.cancelled, 2)
})

for (const [decision, decide] of [
  ['connected', (waiter) => waiter.connected(overHttp1())],
  ['dns', (waiter) => waiter.failed('dns', undefined)],
] as [string, (waiter: ReachWaiter<Told>) => void][]) {
  test(`who is given up while another one hears of '${decision}' hears nothing`, () => {
    const pool = new FakePool()
    const sessions = new Http2Sessions<Told>(pool)
    let giveUpOther = (): void => {}
    const first = guest(sessions, () => giveUpOther())
    const second = guest(sessions)
    giveUpOther = second.cancel
    decide(pool.reached[0]!)
    assert.deepEqual([first.told, second.told], [[decision], []])
    assert.equal(pool.dialled, 0)
  })
}

test('who is content with HTTP/1.1 does not fail with who is not', () => {
  const pool = new FakePool()
  const sessions = new Http2Sessions<Told>(pool)
  const strict = guest(sessions, undefined, 'http2')
  const other = guest(sessions)
  pool.reached[0]!.failed('tls', undefined)
  assert.deepEqual(strict.told, ['tls'])
  assert.deepEqual(other.told, [])
  assert.equal(pool.reached.length, 2)
  pool.reached[1]!.connected(overHttp1())
  assert.deepEqual(other.told, ['connected'])
  assert.equal(pool.reached.length, 2)
})
