import assert from 'node:assert/strict'
import net from 'node:net'
import { test } from 'node:test'
import { type Bound, bindTcp, describe } from '../../../src/listener/bind.ts'

const never = (): never => assert.fail('nobody connects')
const anyPort = (host: string) => ({ host, port: 0, text: '', path: undefined }) as const

/** The kernel knows no sockets of that family, as with `ipv6.disable=1`. */
function withoutIpv6(t: { mock: typeof import('node:test').mock }): void {
  const { listen } = net.Server.prototype
  t.mock.method(net.Server.prototype, 'listen', function (this: net.Server, ...args: unknown[]) {
    const { host } = args[0] as { host: string }
    if (!host.includes(':')) return Reflect.apply(listen, this, args)
    const error = Object.assign(new Error('address family not supported'), { code: 'EAFNOSUPPORT' })
    process.nextTick(() => this.emit('error', error))
    return this
  })
}

function close(bound: Bound): void {
  if (bound.ok) bound.server.close()
}

test('[::] takes both families', async () => {
  const bound = await bindTcp(anyPort('::'), never)
  assert.ok(bound.ok)
  assert.match(describe(bound.server.address()), /^\[::\]:\d+$/)
  close(bound)
})

test('[::] takes the one that there is', async (t) => {
  withoutIpv6(t)
  const bound = await bindTcp(anyPort('::'), never)
  assert.ok(bound.ok)
  assert.match(describe(bound.server.address()), /^0\.0\.0\.0:\d+$/, 'and the log says so')
  close(bound)
})

test('any other address of a family that there is not fails', async (t) => {
  withoutIpv6(t)
  assert.deepEqual(await bindTcp(anyPort('::1'), never), {
    ok: false,
    error: 'address family not supported',
    code: 'EAFNOSUPPORT',
  })
})
