/**
 * Connections that are held: `held-connections.ts <count> <until> <is stream> <target as JSON>`. Each sends a request, and
 * is ready once the text `until` has come. Warms the gateway up and prints `warm`; then obeys a line of input by a line of
 * output: `open` opens them all, `count` prints how many are still there.
 */
import net from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { requestText, type Target } from './request.ts'

const [count, until, isStream, json] = process.argv.slice(2) as [string, string, string, string]
const target = JSON.parse(json) as Target
const request = requestText(target, isStream === 'true')
const AT_ONCE = 20
const WARM_UP = 300

const open = new Set<net.Socket>()

function hold(): Promise<void> {
  return new Promise((settle, fail) => {
    const socket = net.connect({ port: target.port, host: '127.0.0.1', noDelay: true }, () => socket.write(request))
    let received = ''
    const read = (chunk: Buffer): void => {
      received += chunk.toString('latin1')
      if (!received.includes(until)) return
      socket.off('data', read).resume()
      open.add(socket)
      settle()
    }
    socket.on('data', read)
    socket.on('error', fail)
    socket.on('close', () => {
      open.delete(socket)
      fail(new Error(`after ${open.size} connections one was closed: ${received.split('\r\n', 1)}`))
    })
  })
}

async function holdMany(wanted: number): Promise<void> {
  let left = wanted
  const lane = async (): Promise<void> => {
    while (left-- > 0) await hold()
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
}

try {
  await holdMany(Math.min(WARM_UP, Number(count)))
  for (const socket of open) socket.destroy()
  await sleep(500)
  console.log('warm')
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === 'open') await holdMany(Number(count))
    console.log(open.size)
  }
} catch (error) {
  console.log(`failed: ${error instanceof Error ? error.message : error}`)
  process.exit(1)
}
