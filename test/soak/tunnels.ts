import {
  type RawEnd,
  type RawOrigin,
  SWITCH,
  startRawOrigin,
  RawEnd as TunnelEnd,
  upgrade,
} from '../support/raw-end.ts'
import type { Client } from './client.ts'
import { anySize, contentOf, pieces } from './content.ts'
import type { Ledger } from './ledger.ts'
import { type Provider, wrongWith } from './provider.ts'

/** WebSockets: an upstream that says back whatever it hears, and clients that leave in every way. */

export async function startTunnels(ledger: Ledger, provider: Provider): Promise<RawOrigin> {
  return await startRawOrigin((end, head) => {
    const [, generation, id] = /^GET \/g(\d+)\/\w+\/([^/ ]+) /.exec(head) ?? []
    const plan = provider.plans.get(id ?? '')
    if (plan === undefined) return ledger.problem(`an upgrade upstream that nobody asked for: ${head}`)
    const wrong = wrongWith(plan, Number(generation), provider.generation, {
      method: head.split(' ', 1)[0],
      value: (name) => new RegExp(`^${name}: (.*)\r$`, 'im').exec(head)?.[1],
      all: head,
    })
    if (wrong !== undefined) ledger.problem(`${plan.id} arrived with ${wrong}: ${head}`)
    plan.arrived.resolve()
    void end.write(SWITCH)
    end.socket.on('data', (bytes: Buffer) => end.socket.write(bytes))
    end.socket.on('end', () => end.socket.end())
  })
}

/** The 101, and then all that was said. */
async function echoed(end: RawEnd, said: Buffer, client: Client): Promise<void> {
  await end.until(() => end.received.includes('\r\n\r\n'), 'the 101')
  const headBytes = end.received.indexOf('\r\n\r\n') + 4
  if (!end.received.startsWith('HTTP/1.1 101 ')) client.soak.ledger.problem(end.received.slice(0, 200))
  for (const piece of pieces(said, 6, client.random)) await end.write(piece)
  await end.until(() => end.receivedBytes === headBytes + said.length, 'what it has said itself', 30_000)
  if (end.received.slice(headBytes) !== said.toString('latin1'))
    client.soak.ledger.problem('a tunnel that says other things')
}

export async function webSocket(client: Client): Promise<void> {
  const { random, soak } = client
  const plan = client.begin({ method: 'GET', upstream: 'ws', script: () => {} })
  using end = new TunnelEnd(await soak.socket([]))
  void end.write(
    upgrade(plan.target, `Authorization: Bearer soak-client-key-of-${plan.generation}`, `X-Id: ${plan.id}`),
  )
  await echoed(end, contentOf(`t${plan.id}`, anySize(random)), client)
  if (random.below(3) === 0) {
    end.socket.destroy()
    client.end(plan, ['101 complete -', '101 client_abort client_abort'])
    return
  }
  end.fin()
  await end.ended('fin')
  client.end(plan, ['101 complete -'])
}
