import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CLIENT_KEY, PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import { residentBytes } from '../support/memory.ts'
import { connectRaw, type RawEnd, SWITCH, startRawOrigin, upgrade } from '../support/raw-end.ts'

const MEBIBYTE = 1024 * 1024
const BYTES = 200 * MEBIBYTE
const KEY = `Authorization: Bearer ${CLIENT_KEY}`
const skip = process.platform === 'linux' ? false : 'reads /proc'

/** A tunnel for each of these makes code and buffers before memory is measured. */
const WARM_UP = 30

for (const direction of ['to the upstream', 'to the client'] as const) {
  test(`200 MiB ${direction}, which stands still now and then`, { skip }, async () => {
    await using origin = await startRawOrigin((end) => void end.write(SWITCH))
    await using gateway = await startGateway({
      upstreams: { up: { request_path: '/up', target_url: origin.url, api_key: PROVIDER_KEY, websocket: true } },
    })
    const open = async (n: number): Promise<{ client: RawEnd; end: RawEnd }> => {
      const client = await connectRaw(gateway.port)
      void client.write(upgrade('/up', KEY))
      await client.untilReceived(SWITCH)
      return { client, end: await origin.end(n) }
    }
    const piece = Buffer.alloc(MEBIBYTE, 'x')
    for (let i = 0; i < WARM_UP; i++) {
      const { client, end } = await open(i)
      await Promise.all([client.write(piece), end.write(piece)])
      await client.until(() => client.receivedBytes >= piece.length, 'a mebibyte')
      await end.until(() => end.receivedBytes >= piece.length, 'a mebibyte')
      client.reset()
    }
    const { client, end } = await open(WARM_UP)
    const [from, to] = direction === 'to the upstream' ? [client, end] : [end, client]
    const before = residentBytes(gateway.pid)
    const start = to.receivedBytes
    let peak = 0
    let sent = 0
    to.socket.pause()
    const sending = (async () => {
      while (sent < BYTES && (await from.write(piece))) sent += piece.length
      from.fin()
    })()
    // What the other way carries meanwhile is not held up.
    void to.write('not held up')
    await from.untilReceived('not held up')
    for (let read = 0; read < BYTES; ) {
      to.socket.resume()
      read = await to
        .until(() => to.receivedBytes - start > read + MEBIBYTE || to.receivedBytes - start === BYTES, 'more', 60_000)
        .then(() => to.receivedBytes - start)
      to.socket.pause()
      peak = Math.max(peak, residentBytes(gateway.pid))
      if (read < BYTES / 4) assert.ok(sent < (BYTES * 3) / 4, 'the sender is held back')
      await new Promise(setImmediate)
    }
    to.socket.resume()
    await sending
    await to.ended('fin')
    const growth = peak - before
    assert.ok(growth < 8 * MEBIBYTE, `${growth / MEBIBYTE} MiB more`)
    assert.equal(gateway.records().length, WARM_UP)
  })
}
