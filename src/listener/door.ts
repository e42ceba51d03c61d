import type net from 'node:net'
import type { BindAddress, ServerSettings } from '../config/snapshot.ts'
import { bindTcp, describe } from './bind.ts'
import { bindUnix, changeMode, closeUnix, takeAway, type UnixSocket } from './unix-socket.ts'

export type BindResult = { ok: true; address: string } | { ok: false; error: string }

export interface DoorEvents {
  /** Paused: nothing has been read of it. */
  accept(accepted: net.Socket, isUnix: boolean): void
  acceptFailed(error: Error): void
}

/** The socket that clients come to. It can be exchanged for another, and who has come by it does not notice. */
export class Door {
  #settings: ServerSettings
  readonly #events: DoorEvents
  #server: net.Server | undefined = undefined
  /** Of the Unix socket that is listened on. */
  #socket: (UnixSocket & { mode: number; accepted: number }) | undefined = undefined

  constructor(settings: ServerSettings, events: DoorEvents) {
    this.#settings = settings
    this.#events = events
  }

  publish(settings: ServerSettings): void {
    this.#settings = settings
  }

  async bind(address: BindAddress): Promise<BindResult> {
    const { path } = address
    const wanted = path === undefined ? undefined : { path, mode: this.#settings.socketMode, accepted: 0 }
    const result =
      path === undefined
        ? await bindTcp(address, (accepted) => this.#events.accept(accepted, false))
        : await bindUnix(path, wanted!.mode, (accepted) => {
            wanted!.accepted++
            this.#events.accept(accepted, true)
          })
    if (!result.ok) return result
    const [server, socket] = [this.#server, this.#socket]
    this.#server = result.server
    this.#server.on('error', this.#events.acceptFailed)
    this.#socket = wanted && Object.assign(wanted, { file: result.file })
    const shown = path === undefined ? describe(this.#server.address()) : address.text
    if (socket !== undefined) await takeAway(socket, () => socket.accepted)
    closeServer(server, socket)
    return { ok: true, address: shown }
  }

  /** What can be changed of the present socket without binding it again: the mode of its file. What went wrong, if anything did. */
  async adjust(): Promise<string | undefined> {
    const { socketMode: mode } = this.#settings
    if (this.#socket === undefined || this.#socket.mode === mode) return undefined
    const error = await changeMode(this.#socket.path, mode)
    if (error === undefined) this.#socket.mode = mode
    return error
  }

  /**
   * Stops accepting on the present socket, for a stop or for a rebind to an address that overlaps it. The file of a Unix socket
   * goes with it.
   */
  unbind(): void {
    closeServer(this.#server, this.#socket)
    this.#server = undefined
    this.#socket = undefined
  }
}

function closeServer(server: net.Server | undefined, socket: UnixSocket | undefined): void {
  if (server !== undefined && socket !== undefined) closeUnix(server, socket)
  else server?.close()
}
