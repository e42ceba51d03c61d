import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { get, upTo } from '../support/bytes.ts'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

/** The kernel's timer of the socket with these ports: `02:seconds` is a keep-alive probe (proc(5), tcp). */
function timerOf(localPort: number, peerPort: number): string | undefined {
  const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0')
  const line = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .find((each) => each.includes(`:${hex(localPort)} `) && each.includes(`:${hex(peerPort)} 01 `))
  return line?.trim().split(/\s+/)[5]
}

test('by keep-alive probes on both sides, so that no NAT forgets them', {
  skip: process.platform !== 'linux',
}, async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  void client.write(get('/up/x'))
  const { connection } = await origin.request()
  for (const timer of [
    timerOf(gateway.port, client.socket.localPort!),
    timerOf(connection.socket.remotePort!, origin.port),
  ]) {
    assert.match(timer ?? 'no socket', /^02:/)
    const seconds = Number.parseInt(timer!.slice(3), 16) / 100
    assert.ok(seconds > 30 && seconds <= 60, `first probe after ${seconds} s`)
  }
})
