import { once } from 'node:events'
import net from 'node:net'

/** What a proxy does to the bytes that pass it, read by read, as latin-1. */
export interface Edits {
  readonly request?: (text: string) => string
  readonly response?: (text: string) => string
}

export interface ChangingProxy extends AsyncDisposable {
  readonly url: string
}

/** A hop that has its own ideas about bytes, but ends each side as the other one ended. */
export async function startChangingProxy(port: number, { request, response }: Edits): Promise<ChangingProxy> {
  const sockets = new Set<net.Socket>()
  const server = net.createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const upstream = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    pass(client, upstream, request)
    pass(upstream, client, response)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

function pass(from: net.Socket, to: net.Socket, edit: ((text: string) => string) | undefined): void {
  from.on('data', (bytes: Buffer) => {
    const edited = edit === undefined ? bytes : Buffer.from(edit(bytes.toString('latin1')), 'latin1')
    if (edited.length > 0) to.write(edited)
  })
  from.on('end', () => to.end())
  from.on('error', () => to.resetAndDestroy())
}
