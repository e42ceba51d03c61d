import type { Random } from '../fuzz/random.ts'
import { type Origin, type OriginRequest, startOrigin } from '../support/origin.ts'
import { type Body, differs, encode, pieces } from './content.ts'
import type { Ledger } from './ledger.ts'

/** One exchange as both of its ends know it. */
export interface Plan {
  readonly id: string
  readonly method: string
  readonly request: Body
  readonly response: Body
  readonly random: Random
  /** Newest configuration when it was sent. */
  readonly generation: number
  /** The upstream's part in it, from the moment that its head is there. */
  readonly script: (request: OriginRequest, plan: Plan) => void | Promise<void>
  /** Over HTTP/2: how the upstream breaks off. */
  readonly breaks?: 'before' | 'within' | undefined
  /** Over HTTP/2, false: the request never ends, and gets no answer. */
  readonly isWhole?: boolean | undefined
  /** The upstream has it. */
  readonly arrived: PromiseWithResolvers<void>
  arrivals: number
}

/** A request head as it has arrived, whatever it came over. */
export interface Arrived {
  readonly method: string | undefined
  value(name: string): string | undefined
  /** All of it, to be searched. */
  readonly all: string
}

/** `generation`: that of its target; `newest`: that of the configuration. */
export function wrongWith(
  plan: Plan,
  generation: number,
  newest: number,
  { method, value, all }: Arrived,
): string | undefined {
  if (++plan.arrivals > 1 && plan.method === 'POST') return 'a POST that was sent twice'
  if (method !== plan.method) return 'another method'
  if (value('x-id') !== plan.id) return 'the fields of another'
  if (all.includes('client-key')) return "a client's key"
  // The one snapshot that was in force when its head came.
  if (generation < plan.generation || generation > newest + 1) return 'a configuration of another time'
  if (value('authorization') !== `Bearer provider-key-of-${generation}`) return 'the key of another'
  return undefined
}

/** The provider's side of all exchanges: finds the plan by the id in the target, and checks what has arrived. */
export class Provider implements AsyncDisposable {
  generation = 0
  readonly plans: Map<string, Plan>
  readonly origin: Origin
  readonly #ledger: Ledger

  /** Another provider knows the same plans. */
  static async start(ledger: Ledger, other?: Provider): Promise<Provider> {
    return new Provider(await startOrigin(), ledger, other?.plans ?? new Map())
  }

  constructor(origin: Origin, ledger: Ledger, plans: Map<string, Plan>) {
    this.plans = plans
    this.origin = origin
    this.#ledger = ledger
    origin.answer = (request) => this.#answer(request)
  }

  async #answer(request: OriginRequest): Promise<void> {
    this.origin.requests.length = request.connection.requests.length = 0
    const [, generation, id] = /^\/g(\d+)\/\w+\/([^/]+)$/.exec(request.target) ?? []
    const plan = this.plans.get(id ?? '')
    if (plan === undefined) return this.#ledger.problem(`a request upstream that nobody sent: ${request.head}`)
    const wrong = wrongWith(plan, Number(generation), this.generation, {
      method: request.method,
      value: (name) => request.message.value(name),
      all: request.head,
    })
    if (wrong !== undefined) this.#ledger.problem(`${plan.id} arrived with ${wrong}: ${request.head}`)
    plan.arrived.resolve()
    await plan.script(request, plan)
  }

  /** Takes the whole request and checks what it says. */
  async take(request: OriginRequest, plan: Plan): Promise<void> {
    const wrong = await this.takeAny(request, plan)
    if (wrong !== undefined) this.#ledger.problem(wrong)
  }

  /** The same where a request may break off. */
  async takeAny(request: OriginRequest, plan: Plan): Promise<string | undefined> {
    const message = await request.ended(30_000)
    if (message.state !== 'complete') return `${plan.id} arrived ${message.state}`
    const wrong = differs(message.content, `q${plan.id}`, plan.request.size)
    if (wrong !== undefined) this.#ledger.problem(`${plan.id} arrived with ${wrong}`)
    return undefined
  }

  /** Connections that wait in the gateway's pools go. */
  hangUp(): void {
    for (const { socket } of this.origin.connections) socket.destroy()
    this.origin.connections.length = 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.origin.close()
  }
}

const REASONS = ['OK', 'Fine', '']

export function headOf(plan: Plan, fields: string): string {
  return `HTTP/1.1 200 ${plan.random.pick(REASONS)}\r\nX-Id: ${plan.id}\r\n${fields}\r\n`
}

/** The bytes of the response, as its head and its body. */
export function answerOf(plan: Plan): { head: Buffer; body: Buffer } {
  const { random, response } = plan
  const { fields, bytes } = encode(`r${plan.id}`, response, random)
  const interim = random.below(20) === 0 ? 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n' : ''
  const head = Buffer.from(interim + headOf(plan, fields), 'latin1')
  return { head, body: plan.method === 'HEAD' ? Buffer.alloc(0) : bytes }
}

/** Answers in pieces of any size. */
export async function answer({ connection }: OriginRequest, plan: Plan): Promise<void> {
  const { head, body } = answerOf(plan)
  for (const piece of pieces(Buffer.concat([head, body]), plan.random.pick([1, 1, 6]), plan.random))
    if (!(await connection.write(piece))) return
  if (plan.response.framing === 'close') await connection.fin()
}
