import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

const PATIENCE_MS = 10_000
const POLL_MS = 2

/** Looked at so often that it says when, to a few milliseconds. */
export async function isListening(port: number, child: ChildProcess): Promise<boolean> {
  const giveUpAt = performance.now() + PATIENCE_MS
  while (performance.now() < giveUpAt && child.exitCode === null) {
    const socket = net.connect(port, '127.0.0.1')
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isOpen) return true
    await sleep(POLL_MS)
  }
  return false
}
