import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { get } from './bytes.ts'
import { DEADLINE_MS } from './deadline.ts'
import { CLIENT_KEY, type ConfigObject, type RunningGateway, startGateway } from './gateway.ts'
import { connect, type RawClient } from './raw-client.ts'

/** Gateways whose workers do what a key tells them: see `worker-hook.ts`. */

export const DIED = 'Worker died, replaced'

export function startWorkers(
  config: ConfigObject,
  options: { readonly memoryMb?: number } = {},
): Promise<RunningGateway> {
  const memory = options.memoryMb === undefined ? '' : ` --max-old-space-size=${options.memoryMb}`
  const hook = fileURLToPath(new URL('worker-hook.ts', import.meta.url))
  return startGateway(config, { env: { NODE_OPTIONS: `--import=${hook}${memory}` } })
}

/** A request that tells its worker something, and is refused. */
export function telling(deed: string): string {
  return get('/up/deed').replace(CLIENT_KEY, deed)
}

/** Connections, one after the other, each of which has had one answer. Which thread serves which: `threadsOf`. */
export async function connectMany(gateway: RunningGateway, count: number): Promise<RawClient[]> {
  const clients: RawClient[] = []
  for (let i = 0; i < count; i++) {
    const client = await connect(gateway.port)
    clients.push(client)
    void client.write(telling('worker-tells'))
    await client.response()
  }
  return clients
}

/** Until so many workers serve: the log tells when the first one does. */
export async function untilServing(gateway: RunningGateway, workers: number): Promise<void> {
  for (const end = performance.now() + DEADLINE_MS; performance.now() < end; ) {
    const clients = await connectMany(gateway, 2 * workers)
    // So that they do not count any more when whoever has asked comes.
    for (const client of clients) client.socket.end()
    for (const client of clients) await client.ended()
    close(clients)
    if (counted(threadsOf(gateway)).size >= workers) return
  }
  throw new Error(`not ${workers} workers, but ${[...counted(threadsOf(gateway))].join('; ')}`)
}

export interface Placed {
  readonly client: RawClient
  readonly thread: number
}

/** So many connections on each of so many workers, whatever connections of before still count. Each has had one answer. */
export async function place(gateway: RunningGateway, workers: number, each: number): Promise<Placed[]> {
  await untilServing(gateway, workers)
  const placed: Placed[] = []
  const surplus: RawClient[] = []
  while (placed.length < workers * each) {
    const [client] = await connectMany(gateway, 1)
    const thread = threadsOf(gateway).at(-1)!
    if (placed.filter((other) => other.thread === thread).length < each) placed.push({ client: client!, thread })
    else surplus.push(client!)
  }
  close(surplus)
  return placed
}

/** The numbers of the threads that have told, in order; 0: the thread that accepts. */
export function threadsOf({ directory }: RunningGateway): number[] {
  return readFileSync(join(directory, 'served'), 'latin1').trimEnd().split('\n').map(Number)
}

/** How many times each number is there. */
export function counted(numbers: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>()
  for (const number of numbers) counts.set(number, (counts.get(number) ?? 0) + 1)
  return counts
}

export function close(clients: readonly RawClient[]): void {
  for (const client of clients) client[Symbol.dispose]()
}
