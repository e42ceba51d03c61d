import { EventEmitter } from 'node:events'
import net from 'node:net'
import type { TestContext } from 'node:test'

/** What becomes of each attempt to connect to an address: an error's code after so many milliseconds, or a connection. */
export type Fate =
  | 'black hole'
  | 'connects'
  | `connects after ${number}`
  | `ECONNREFUSED`
  | `EHOSTUNREACH after ${number}`

export interface Attempt {
  readonly address: string
  readonly atMs: number
  isDestroyed: boolean
}

class ScriptedSocket extends EventEmitter {
  bytesWritten = 0
  readonly #attempt: Attempt

  constructor(attempt: Attempt, fate: Fate) {
    super()
    this.#attempt = attempt
    const [what, after] = fate.split(' after ')
    if (what === 'connects') setTimeout(() => this.emit('connect'), Number(after ?? 1))
    else if (what !== 'black hole') setTimeout(() => this.#fail(what!), Number(after ?? 1))
  }

  #fail(code: string): void {
    this.emit('error', Object.assign(new Error(code), { code }))
    this.emit('close')
  }

  write(): void {}

  destroy(): void {
    this.#attempt.isDestroyed = true
    setTimeout(() => this.emit('close'), 0)
  }
}

/** Replaces net.connect: the n-th attempt at an address has the n-th of its fates, further ones the last. Time is the mock's. */
export function scriptSockets(t: TestContext, fates: Readonly<Record<string, readonly Fate[]>>): Attempt[] {
  const attempts: Attempt[] = []
  t.mock.method(net, 'connect', ({ host }: { host: string }) => {
    const before = attempts.filter(({ address }) => address === host).length
    const attempt: Attempt = { address: host, atMs: Date.now(), isDestroyed: false }
    attempts.push(attempt)
    return new ScriptedSocket(attempt, fates[host]![before] ?? fates[host]!.at(-1)!)
  })
  return attempts
}
