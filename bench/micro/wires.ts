/**
 * A gateway in this process whose sockets write nowhere. All of it is real, set up over real connections; then what its
 * connections send is only counted, and what they read is handed to them. So what is left is our own JavaScript, with no system
 * call and nothing of Node's sockets.
 *
 * Of the code that it measures it knows `createGateway`, and of the two connections `attach`, `onBytes` and `nextReadBuffer`.
 */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { CLIENT_KEY, PREFIX, PROVIDER_KEY } from '../contenders/contender.ts'

/** One end of a wire, as its socket knows it. */
export interface Reader {
  onBytes(buffer: Buffer, length: number): boolean
  nextReadBuffer(): Buffer
}

export interface Wires {
  readonly clients: readonly Reader[]
  /** Those that have been sent something since somebody last emptied this. */
  readonly asked: Reader[]
  /** Bytes that clients have been sent. */
  sentToClients(): number
  close(): void
}

type Attach = (this: Reader, socket: net.Socket) => void

/** `root`: of the checkout that is measured. `moreYaml`: lines of its configuration. */
export async function openWires(root: string, count: number, moreYaml = ''): Promise<Wires> {
  const load = (path: string): Promise<unknown> => import(pathToFileURL(join(root, 'src', path)).href)
  const { ServerConnection } = (await load('http1/server-connection.ts')) as { ServerConnection: new () => Reader }
  const { ClientConnection } = (await load('http1/client-connection.ts')) as { ClientConnection: new () => Reader }
  const clients: Reader[] = []
  const asked: Reader[] = []
  let sentToClients = 0
  onAttach(ServerConnection, (connection) => {
    clients.push(connection)
    return (bytes) => {
      sentToClients += bytes
    }
  })
  onAttach(ClientConnection, (connection) => () => {
    if (asked.at(-1) !== connection) asked.push(connection)
  })

  const origin = net.createServer().listen(0, '127.0.0.1')
  await once(origin, 'listening')
  const { port } = origin.address() as net.AddressInfo
  const gateway = await startGateway(load, port, moreYaml)
  const sockets = Array.from({ length: count }, () => net.connect(gateway.port, '127.0.0.1'))
  while (clients.length < count) await turn()
  return {
    clients,
    asked,
    sentToClients: () => sentToClients,
    close() {
      gateway.cut()
      for (const socket of sockets) socket.destroy()
      origin.close()
    },
  }
}

async function startGateway(
  load: (path: string) => Promise<unknown>,
  originPort: number,
  moreYaml: string,
): Promise<{ port: number; cut(): void }> {
  const { createGateway } = (await load('gateway.ts')) as typeof import('../../src/gateway.ts')
  const { openLogging } = (await load('observe/logging.ts')) as typeof import('../../src/observe/logging.ts')
  const { loadConfiguration } = (await load('config/load.ts')) as typeof import('../../src/config/load.ts')
  const folder = mkdtempSync(join(tmpdir(), 'fluxgate-bench-'))
  const path = join(folder, 'fluxgate.yaml')
  // With more than one thread none of them would be this one.
  const yaml = `version: 1
server: { bind_address: "127.0.0.1:0", workers: 1 }
upstreams: { openai: { request_path: ${PREFIX}, target_url: "http://127.0.0.1:${originPort}", api_key: ${PROVIDER_KEY} } }
api_keys: { static: [{ id: bench, key: ${CLIENT_KEY} }] }
${moreYaml}`
  writeFileSync(path, yaml)
  const loaded = loadConfiguration(path, {})
  rmSync(folder, { recursive: true })
  if (!loaded.ok) throw new Error(loaded.error)
  const gateway = createGateway({ ...loaded.configuration, generation: 1 }, openLogging())
  const bound = await gateway.listen()
  if (!bound.ok) throw new Error(bound.error)
  return { port: Number(bound.address.split(':').at(-1)), cut: () => gateway.cut() }
}

/** `met` is told of each connection that gets a socket, and says who counts what it writes. */
function onAttach(type: new () => Reader, met: (connection: Reader) => (bytes: number) => void): void {
  const prototype = type.prototype as { attach: Attach }
  const { attach } = prototype
  prototype.attach = function (this: Reader, socket: net.Socket): void {
    writeNowhere(socket, met(this))
    attach.call(this, socket)
  }
}

/** Every way to write takes all at once, as the kernel nearly always does. */
function writeNowhere(socket: net.Socket, count: (bytes: number) => void): void {
  const handle = (socket as unknown as { _handle: Record<string, unknown> })._handle
  for (const name of ['writeBuffer', 'writeLatin1String', 'writeAsciiString', 'writeUtf8String', 'writev']) {
    if (typeof handle[name] !== 'function') throw new Error(`Node's handles have no ${name} any more`)
    handle[name] = (request: unknown, bytes: { readonly length: number }): number => {
      // Its callback would be waited for, and would have to be faked as well.
      if (request !== null) throw new Error(`the gateway wrote through Node's stream (${name})`)
      count(bytes.length)
      return 0
    }
  }
}
