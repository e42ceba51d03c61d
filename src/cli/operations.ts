/** The life of the operations door: it comes, moves and goes with the configuration, and stays to the end of a stop. */
import { closeSync } from 'node:fs'
import type net from 'node:net'
import type { AdminServer } from '../admin/door.ts'
import { isLocal } from '../admin/is-local.ts'
import type { AdminSources } from '../admin/sources.ts'
import { DEFAULT_SOCKET_MODE } from '../config/settings.ts'
import type { AdminSettings } from '../config/snapshot.ts'
import { Door } from '../listener/door.ts'
import { Place } from '../listener/place.ts'
import { announce, EVENTS } from '../observe/events.ts'
import type { Log } from '../observe/log.ts'
import type { HandedSocket, SharedSocket } from '../runtime/handed-sockets.ts'
import type { AdminSourcesOptions } from './admin-sources.ts'

interface Open {
  readonly server: AdminServer
  readonly door: Door
  readonly place: Place
  readonly sources: AdminSources & { close(): void }
  /** In force: the address is the one that is listened on, also where the file names another that cannot be. */
  settings: AdminSettings
  address: string
}

export class Operations {
  readonly #log: Log
  readonly #options: AdminSourcesOptions
  #handed: HandedSocket | undefined
  #open: Open | undefined

  constructor(log: Log, options: AdminSourcesOptions, handed?: HandedSocket) {
    this.#log = log
    this.#options = options
    this.#handed = handed
  }

  /** Where it listens; empty: nowhere. */
  get address(): string {
    return this.#open?.address ?? ''
  }

  get handover(): SharedSocket | undefined {
    // What systemd holds goes on to each successor, though nobody has wanted it yet.
    return this.#open === undefined ? this.#handed : this.#open.door.handover
  }

  /** False: its address cannot be bound, and has been told. */
  async start(settings: AdminSettings | undefined): Promise<boolean> {
    if (settings === undefined) {
      // Whoever came by it would wait for an answer in vain. What systemd holds is in use as soon as a reload says so.
      if (this.#handed?.isOurs) {
        closeSync(this.#handed.fd)
        this.#handed = undefined
      }
      return true
    }
    const error = await this.#openAt(settings)
    if (error === undefined) return true
    announce(this.#log, EVENTS.adminBindFailed, { address: settings.bindAddress.text, error })
    return false
  }

  /** What the configuration says now. */
  async publish(settings: AdminSettings | undefined): Promise<void> {
    if (settings === undefined) this.close()
    else if (this.#open === undefined) {
      const error = await this.#openAt(settings)
      if (error !== undefined) announce(this.#log, EVENTS.adminNotMoved, { address: settings.bindAddress.text, error })
    } else await this.#move(this.#open, settings)
  }

  async #openAt(settings: AdminSettings): Promise<string | undefined> {
    // Who has no such door does not load it.
    const [{ createAdminServer }, { createAdminSources }] = await Promise.all([
      import('../admin/door.ts'),
      import('./admin-sources.ts'),
    ])
    const sources = createAdminSources(this.#options)
    const server = createAdminServer(settings, sources)
    const events = { accept: (accepted: net.Socket) => server.take(accepted), acceptFailed: () => {} }
    const door = new Door({ socketMode: DEFAULT_SOCKET_MODE }, events, this.#handed)
    this.#handed = undefined
    const result = await door.bind(settings.bindAddress)
    if (!result.ok) {
      sources.close()
      server.close()
      return result.error
    }
    const place = new Place(door, settings.bindAddress, {
      onLost: (address, error) => announce(this.#log, EVENTS.adminNotMoved, { address, error }),
      onFoundAgain: (address) => this.#listens(address),
    })
    this.#open = { server, door, place, sources, settings, address: result.address }
    this.#listens(result.address)
    return undefined
  }

  #listens(address: string): void {
    if (this.#open !== undefined) this.#open.address = address
    announce(this.#log, EVENTS.adminListening, {}, address)
    this.#warnIfClosed()
  }

  #warnIfClosed(): void {
    if (this.#open === undefined) return
    const { settings, address } = this.#open
    if (settings.token === undefined && !isLocal(settings.bindAddress))
      announce(this.#log, EVENTS.adminClosed, { address })
  }

  /** The token is in force whatever becomes of the address. */
  async #move(open: Open, { bindAddress, token }: AdminSettings): Promise<void> {
    const moved = await open.place.move(bindAddress)
    const hadToken = open.settings.token !== undefined
    open.settings = { bindAddress: moved.rebound === 'failed' ? open.settings.bindAddress : bindAddress, token }
    open.server.publish(open.settings)
    if (moved.rebound === 'yes') this.#listens(moved.address)
    else if (hadToken && token === undefined) this.#warnIfClosed()
    if (moved.rebound === 'failed')
      announce(this.#log, EVENTS.adminNotMoved, { address: bindAddress.text, error: moved.error })
  }

  /** A successor listens on the same socket: who asks is to ask there. Resolves when those that have come have their answers. */
  async handOver(): Promise<void> {
    const open = this.#open
    if (open === undefined) return
    await open.place.stop()
    open.door.handOver()
    await open.server.retire()
  }

  close(): void {
    const open = this.#open
    if (open === undefined) return
    this.#open = undefined
    open.door.unbind()
    // An attempt to listen again may be under way.
    void open.place.stop().then(() => open.door.unbind())
    open.server.close()
    open.sources.close()
  }
}
