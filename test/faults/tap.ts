import { once } from 'node:events'
import net from 'node:net'

/** Passes connections on to a port of 127.0.0.1 and keeps what the connecting side has sent, one buffer a connection. */
export interface Tap extends AsyncDisposable {
  readonly port: number
  sent(): readonly Buffer[]
}

export async function startTap(target: number): Promise<Tap> {
  const pieces: Buffer[][] = []
  const sockets = new Set<net.Socket>()
  const server = net.createServer((near) => {
    const far = net.connect(target, '127.0.0.1')
    const sent: Buffer[] = []
    pieces.push(sent)
    near.on('data', (data: Buffer) => sent.push(data))
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        near.destroy()
        far.destroy()
      })
    }
    near.pipe(far).pipe(near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as net.AddressInfo).port,
    sent: () => pieces.map((each) => Buffer.concat(each)),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
