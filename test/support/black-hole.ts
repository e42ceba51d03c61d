import { spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'

const SERVER = `
  const server = require('node:net').createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\\r\\nContent-Length: 4\\r\\n\\r\\nlate'))
  })
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    require('node:fs').writeSync(1, String(server.address().port))
    process.kill(process.pid, 'SIGSTOP') // accepts nothing any more
  })`

export interface BlackHole extends Disposable {
  readonly port: number
  /** From now on it accepts what comes and answers everything. */
  open(): void
}

/** A port of 127.0.0.1 whose backlog is full: the kernel drops what comes, as a black hole would. */
export async function openBlackHole(): Promise<BlackHole> {
  const child = spawn(process.execPath, ['-e', SERVER], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [data] = await once(child.stdout, 'data')
  const port = Number(data)
  const fill = Array.from({ length: 8 }, () => net.connect(port, '127.0.0.1').on('error', () => {}))
  await Promise.race(fill.map((socket) => once(socket, 'connect')))
  const empty = (): void => {
    for (const socket of fill) socket.destroy()
  }
  return {
    port,
    open() {
      empty()
      child.kill('SIGCONT')
    },
    [Symbol.dispose]() {
      empty()
      child.kill('SIGKILL')
    },
  }
}
