import type { Buffer } from 'node:buffer'
import type net from 'node:net'
import { Random } from '../fuzz/random.ts'
import type { Watch } from '../support/deadline.ts'
import type { Message } from '../support/message.ts'
import { latin1, RawClient } from '../support/raw-client.ts'
import { type Body, differs, encode } from './content.ts'
import type { Ledger } from './ledger.ts'
import type { Plan, Provider } from './provider.ts'

export interface Soak {
  readonly seed: string
  /** A connection to the gateway, over TLS where it speaks that. */
  readonly socket: (alpn: readonly string[]) => Promise<net.Socket>
  readonly ledger: Ledger
  readonly provider: Provider
  /** Of the configuration that is known to be in force. */
  generation: number
  /** How many exchanges have begun. */
  begun: number
  /** Whenever a client has done what it did. */
  readonly watch: Watch
}

export interface Order {
  readonly method?: string
  readonly request?: Body
  readonly response?: Body
  readonly upstream?: string
  readonly script: Plan['script']
  readonly breaks?: Plan['breaks']
  readonly isWhole?: boolean
}

const NO_BODY: Body = { framing: 'none', size: 0 }

/** One client: one thing after the other, on one connection for a while. */
export class Client {
  readonly soak: Soak
  /** For what it does next. */
  random: Random
  /** The generation of the key that it is using, if it is using any. */
  generation: number | undefined
  #kept: RawClient | undefined
  #left = 0

  constructor(soak: Soak) {
    this.soak = soak
    this.random = new Random(soak.seed)
  }

  /** The next exchange; whatever is random in it follows from its number. */
  begin(order: Order): Plan & { target: string; bytes: Buffer; head: string } {
    const { soak } = this
    const id = `${soak.begun++}`
    const random = new Random(`${soak.seed} ${id}`)
    this.generation = soak.generation
    const plan: Plan = {
      id,
      method: order.method ?? 'POST',
      request: order.request ?? NO_BODY,
      response: order.response ?? NO_BODY,
      random,
      generation: soak.generation,
      script: order.script,
      breaks: order.breaks,
      isWhole: order.isWhole,
      arrived: Promise.withResolvers<void>(),
      arrivals: 0,
    }
    soak.provider.plans.set(id, plan)
    const target = `/${order.upstream ?? 'up'}/x/${id}`
    soak.ledger.open(target)
    const { fields, bytes } = encode(`q${id}`, plan.request, random)
    const key = `Authorization: Bearer soak-client-key-of-${soak.generation}`
    return Object.assign(plan, {
      target,
      bytes,
      head: `${plan.method} ${target} HTTP/1.1\r\nHost: a\r\n${key}\r\nX-Id: ${id}\r\n${fields}\r\n`,
    })
  }

  end(plan: { id: string; target: string }, allowed: readonly string[], bytes?: readonly [number, number]): void {
    this.soak.provider.plans.delete(plan.id)
    this.soak.ledger.close(plan.target, allowed, bytes)
  }

  async fresh(methods: readonly string[] = []): Promise<RawClient> {
    return new RawClient(await this.soak.socket([]), { methods })
  }

  /** A connection that serves several exchanges. */
  async kept(): Promise<RawClient> {
    if (this.#kept?.ending !== undefined || this.#left-- <= 0) this.hangUp()
    if (this.#kept !== undefined) return this.#kept
    this.#left = this.random.below(30)
    this.#kept = await this.fresh()
    return this.#kept
  }

  /** Sends bytes on the kept connection and waits for the next response. */
  async ask(bytes: readonly (string | Buffer)[]): Promise<Message> {
    const client = await this.kept()
    const n = client.responses.length
    const isSent = client.writePieces(bytes.map((each) => (typeof each === 'string' ? latin1(each) : each)))
    const response = await client.response(n)
    if (keepsConnection(response)) await isSent
    else {
      await client.ended()
      this.hangUp()
    }
    return response
  }

  hangUp(): void {
    this.#kept?.socket.destroy()
    this.#kept = undefined
  }

  /** Checks that a whole response is the one to this request. */
  check(plan: Plan, response: Message): void {
    const wrong = whatIsWrong(plan, response)
    if (wrong !== undefined) this.soak.ledger.problem(`${plan.id} was answered with ${wrong}`)
  }
}

const keepsConnection = (response: Message): boolean =>
  response.state === 'complete' && response.value('connection') !== 'close' && response.framing !== 'close'

function whatIsWrong(plan: Plan, response: Message): string | undefined {
  if (response.status !== 200 || response.state !== 'complete')
    return `${response.startLine} ${response.state} ${response.text.slice(0, 200)}`
  if (response.value('x-id') !== plan.id) return `the head of another: ${response.head}`
  const trailer = response.trailers.find((line) => line.toLowerCase() !== `x-owner: r${plan.id}`)
  if (trailer !== undefined) return `the trailer ${trailer}`
  return differs(response.content, `r${plan.id}`, plan.method === 'HEAD' ? 0 : plan.response.size)
}
