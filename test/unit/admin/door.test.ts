import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { createAdminServer } from '../../../src/admin/door.ts'
import type { AdminSources } from '../../../src/admin/sources.ts'
import type { AdminSettings } from '../../../src/config/snapshot.ts'

const LINES = 50_000

test('long metrics are zipped without a listener for each wait', async () => {
  const warnings: Error[] = []
  const warned = (warning: Error): void => void warnings.push(warning)
  process.on('warning', warned)
  const sources: AdminSources = {
    notReady: () => [],
    // No two alike, so that gzip has work to do.
    exposition: () => Promise.resolve(Array.from({ length: LINES }, (_, i) => `series{label="${Math.sin(i)}"} ${i}\n`)),
    status: () => Promise.reject(new Error('nobody asks')),
  }
  const settings = { bindAddress: { host: '127.0.0.1', port: 0, text: '127.0.0.1:0' }, token: undefined }
  const door = createAdminServer(settings as AdminSettings, sources)
  const server = net.createServer({ allowHalfOpen: true }, (socket) => door.take(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { 'Accept-Encoding': 'gzip' } })
  assert.equal((await response.text()).split('\n').length, LINES + 1)
  // A warning is told in a later turn.
  await new Promise(setImmediate)
  assert.deepEqual(warnings, [])
  process.off('warning', warned)
  door.close()
  server.close()
})
