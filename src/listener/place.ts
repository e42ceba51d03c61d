/** Where is listened, and the way from one address to another, which can fail on both ends. */
import { setTimeout as wait } from 'node:timers/promises'
import type { BindAddress } from '../config/snapshot.ts'
import type { BindResult } from './door.ts'

export type Moved =
  | { readonly rebound: 'no' }
  | { readonly rebound: 'yes'; readonly address: string }
  | { readonly rebound: 'failed'; readonly error: string }

export interface Binding {
  /** Why nothing else can be listened on, if that is so. */
  obstacle(wanted: BindAddress): string | undefined
  bind(address: BindAddress): Promise<BindResult>
  unbind(): void
  /** Applies what may have changed of the address that is listened on; what went wrong, if anything did. */
  adjust(): Promise<string | undefined>
}

export interface PlaceEvents {
  /** The new address could not be bound, nor could the old one again. */
  onLost(address: string, error: string): void
  onFoundAgain(address: string): void
}

const FIRST_RETRY_MS = 100
const MAX_RETRY_MS = 5000

export class Place {
  readonly #binding: Binding
  readonly #events: PlaceEvents
  /** What is listened on, or is to be again: not what the snapshot says where that could not be bound. */
  #address: BindAddress
  /** Nothing is listened on. */
  #isLost = false
  /** Ends the attempts to listen again; undefined: there is nothing to be found again. */
  #search: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined

  constructor(binding: Binding, address: BindAddress, events: PlaceEvents) {
    this.#binding = binding
    this.#address = address
    this.#events = events
  }

  /** The new socket first. Where the two overlap that cannot work: then the old one is closed, and bound again if need be. */
  async move(wanted: BindAddress): Promise<Moved> {
    await this.stop()
    const isLost = this.#isLost
    if (!isLost && isSame(wanted, this.#address)) return this.#adjust()
    const obstacle = this.#binding.obstacle(wanted)
    if (obstacle !== undefined) return { rebound: 'failed', error: obstacle }
    const isBlocked = !isLost && overlap(this.#address, wanted)
    if (isBlocked) this.#binding.unbind()
    const result = await this.#binding.bind(wanted)
    if (result.ok) {
      this.#isLost = false
      this.#address = wanted
      return { rebound: 'yes', address: result.address }
    }
    if (isBlocked) await this.#restore()
    else if (isLost) this.#searchOn()
    return { rebound: 'failed', error: result.error }
  }

  async #adjust(): Promise<Moved> {
    const error = await this.#binding.adjust()
    return error === undefined ? { rebound: 'no' } : { rebound: 'failed', error }
  }

  /** No more attempts; resolves when the last one is through. */
  async stop(): Promise<void> {
    this.#search?.stop.abort()
    await this.#search?.ended
    this.#search = undefined
  }

  async #restore(): Promise<void> {
    const result = await this.#binding.bind(this.#address)
    if (result.ok) return
    this.#isLost = true
    this.#events.onLost(this.#address.text, result.error)
    this.#searchOn()
  }

  #searchOn(): void {
    const stop = new AbortController()
    this.#search = { stop, ended: this.#bindAgain(stop.signal) }
  }

  /** These timers hold the process: there may be nothing else that does. */
  async #bindAgain(signal: AbortSignal): Promise<void> {
    for (let pause = FIRST_RETRY_MS; ; pause = Math.min(pause * 2, MAX_RETRY_MS)) {
      const isStopped = await wait(pause, false, { signal }).catch(() => true)
      if (isStopped) return
      const result = await this.#binding.bind(this.#address)
      if (!result.ok) continue
      this.#isLost = false
      this.#events.onFoundAgain(result.address)
      return
    }
  }
}

function isSame(a: BindAddress, b: BindAddress): boolean {
  if (a.path !== undefined || b.path !== undefined) return a.path === b.path
  return a.host === b.host && a.port === b.port
}

function overlap(a: BindAddress, b: BindAddress): boolean {
  if (a.path !== undefined || b.path !== undefined) return false
  return a.port === b.port && a.port !== 0 && (isWildcard(a.host) || isWildcard(b.host))
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}
