import { lstatSync } from 'node:fs'
import type net from 'node:net'
import type { BindAddress, ServerSettings } from '../config/snapshot.ts'
import { type HandedSocket, type SharedSocket, type SocketName, unixPathOf } from '../runtime/handed-sockets.ts'
import { descriptorOf } from '../runtime/sockets.ts'
import { type Accept, type Bound, bind, bindTcp, describe } from './bind.ts'
import { bindUnix, changeMode, closeUnix, takeAway, type UnixSocket } from './unix-socket.ts'

export type BindResult = { ok: true; address: string } | { ok: false; error: string }

export interface DoorEvents {
  /** Paused: nothing has been read of it. */
  accept(accepted: net.Socket, isUnix: boolean): void
  acceptFailed(error: Error): void
}

/** The socket that clients come to. It can be exchanged for another, and who has come by it does not notice. */
export class Door {
  #settings: Pick<ServerSettings, 'socketMode'>
  readonly #events: DoorEvents
  #server: net.Server | undefined = undefined
  /** Of the Unix socket that is listened on. */
  #socket: (UnixSocket & { mode: number; accepted: number }) | undefined = undefined
  /** Of the present socket, as the configuration has it. */
  #text = ''
  /** The present socket is systemd's. */
  #held: { readonly name: SocketName; readonly address: string } | undefined = undefined
  /** What this process was started with, until the first address is bound. */
  #handed: HandedSocket | undefined

  constructor(settings: Pick<ServerSettings, 'socketMode'>, events: DoorEvents, handed?: HandedSocket) {
    this.#settings = settings
    this.#events = events
    this.#handed = handed
  }

  publish(settings: Pick<ServerSettings, 'socketMode'>): void {
    this.#settings = settings
  }

  async bind(address: BindAddress): Promise<BindResult> {
    const { path } = address
    const wanted = path === undefined ? undefined : { path, mode: this.#settings.socketMode, accepted: 0 }
    const accept = (accepted: net.Socket): void => {
      if (wanted !== undefined) wanted.accepted++
      this.#events.accept(accepted, wanted !== undefined)
    }
    const handed = this.#handed
    this.#handed = undefined
    const used = handed && (await useHanded(handed, address, this.#settings.socketMode, accept))
    const result =
      used ?? (path === undefined ? await bindTcp(address, accept) : await bindUnix(path, wanted!.mode, accept))
    if (!result.ok) return result
    this.#text = address.text
    const [server, socket] = [this.#server, this.#socket]
    this.#server = result.server
    this.#server.on('error', this.#events.acceptFailed)
    this.#socket = wanted && Object.assign(wanted, { file: result.file })
    const shown = path === undefined ? describe(this.#server.address()) : address.text
    this.#held = used === undefined || handed!.isOurs ? undefined : { name: handed!.name, address: shown }
    if (socket !== undefined) await takeAway(socket, () => socket.accepted)
    closeServer(server, socket)
    return { ok: true, address: shown }
  }

  /**
   * Why there can be no other socket in the place of the present one, if that is so: systemd goes on listening on its own, so that whoever comes
   * there would wait for ever, and this process could not bind it again.
   */
  obstacle(wanted: BindAddress): string | undefined {
    return this.#held && heldElsewhere(this.#held.name, this.#held.address, wanted)
  }

  /** What can be changed of the present socket without binding it again: the mode of its file. What went wrong, if anything did. */
  async adjust(): Promise<string | undefined> {
    const { socketMode: mode } = this.#settings
    if (this.#socket === undefined || this.#socket.mode === mode) return undefined
    const error = await changeMode(this.#socket.path, mode)
    if (error === undefined) this.#socket.mode = mode
    return error
  }

  /** The present socket, for a process that is to listen on it as well. */
  get handover(): SharedSocket | undefined {
    const fd = this.#server === undefined ? undefined : descriptorOf(this.#server)
    return fd === undefined ? undefined : { fd, text: this.#text, isOurs: this.#held === undefined }
  }

  /** Stops accepting on the present socket, which somebody else listens on: nothing of it is removed. */
  handOver(): void {
    this.#server?.close()
    this.#server = undefined
    this.#socket = undefined
    this.#held = undefined
  }

  /**
   * Stops accepting on the present socket, for a stop or for a rebind to an address that overlaps it. The file of a Unix socket
   * goes with it.
   */
  unbind(): void {
    closeServer(this.#server, this.#socket)
    this.#server = undefined
    this.#socket = undefined
    this.#held = undefined
  }
}

/**
 * Listens on a socket that was handed over. Undefined: it is not the one that is wanted now, and has been closed; then another
 * is bound, unless systemd says otherwise than the configuration, which somebody has to decide. `mode`: of a Unix socket's file.
 */
async function useHanded(
  handed: HandedSocket,
  wanted: BindAddress,
  mode: number,
  accept: Accept,
): Promise<Bound | undefined> {
  const path = unixPathOf(handed.fd)
  const isUnix = wanted.path !== undefined
  const bound = await bind({ fd: handed.fd }, accept)
  if (!bound.ok) return { ...bound, error: `the socket that was handed over cannot be listened on: ${bound.error}` }
  const found = path === undefined ? describe(bound.server.address()) : `unix:${path}`
  const fits =
    handed.text === wanted.text ||
    (isUnix ? path === wanted.path : path === undefined && isSameAddress(found, wanted.host, wanted.port))
  if (!fits) {
    // Within the turn in which it was bound, so that nobody has come by it.
    bound.server.close()
    return handed.isOurs ? undefined : { ok: false, error: heldElsewhere(handed.name, found, wanted) }
  }
  if (!isUnix || !handed.isOurs) return bound
  await changeMode(wanted.path, mode)
  return { ...bound, file: lstatSync(wanted.path, { bigint: true, throwIfNoEntry: false }) }
}

function heldElsewhere(name: SocketName, found: string, wanted: BindAddress): string {
  return `systemd has handed over a socket at ${found}, and ${name}.bind_address is ${wanted.text}: make them the same, or stop the socket unit`
}

/** Where every address is listened on, one family stands for both. */
function isSameAddress(found: string, host: string, port: number): boolean {
  const wanted = [describe({ address: host, port, family: '' })]
  if (host === '0.0.0.0') wanted.push(`[::]:${port}`)
  if (host === '::') wanted.push(`0.0.0.0:${port}`)
  return wanted.includes(found)
}

function closeServer(server: net.Server | undefined, socket: UnixSocket | undefined): void {
  if (server !== undefined && socket !== undefined) closeUnix(server, socket)
  else server?.close()
}
