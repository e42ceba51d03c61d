import assert from 'node:assert/strict'
import { test } from 'node:test'
import { upTo } from '../support/bytes.ts'
import { assertWhole, EventStreams, openStream, openStreams } from '../support/event-streams.ts'
import { startGateway } from '../support/gateway.ts'
import { residentBytes } from '../support/memory.ts'
import { startOrigin } from '../support/origin.ts'

const STREAMS = 1000
const KIBIBYTE = 1024
/** Sockets of both sides, their connections and an exchange; bodies take nothing. The kernel's part is not in it. */
const BYTES_PER_STREAM = 40 * KIBIBYTE
const skip = process.platform === 'linux' ? false : 'reads /proc'

test(`${STREAMS} streams at once: every event of each, in order, in ${BYTES_PER_STREAM / KIBIBYTE} KiB of memory a stream`, {
  skip,
}, async () => {
  using streams = new EventStreams(250)
  await using origin = await startOrigin((request) => streams.answer(request))
  await using gateway = await startGateway({ server: { max_connections: 2 * STREAMS }, ...upTo(origin) })
  const all = [await openStream(gateway.port, '/up', 0)]
  const before = residentBytes(gateway.pid)
  all.push(...(await openStreams(gateway.port, '/up', STREAMS - 1, 1)))
  let most = 0
  for (let round = 0; round < 10; round++) {
    const seen = all.map(({ client }) => client.receivedBytes)
    for (const [i, { client }] of all.entries())
      await client.until(() => client.receivedBytes > seen[i]!, 'another event')
    most = Math.max(most, residentBytes(gateway.pid))
  }
  assert.equal(streams.running, STREAMS)
  const each = (most - before) / STREAMS
  assert.ok(each < BYTES_PER_STREAM, `${(each / KIBIBYTE).toFixed(1)} KiB a stream`)
  streams.finish()
  for (const reader of all) await assertWhole(reader, streams)
  await gateway.until(() => gateway.records().length === STREAMS, 'a record of each')
  assert.ok(gateway.records().every(({ outcome }) => outcome === 'complete'))
  for (const reader of all) reader[Symbol.dispose]()
})
