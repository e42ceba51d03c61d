/**
 * Listening sockets that this process was started with: by systemd (sd_listen_fds(3)), or by the process that it is to take over from.
 * A socket that is handed over loses nobody, for what waits in its queue waits for either process; two sockets on one port
 * (SO_REUSEPORT) lose what waits in the queue of the one that closes.
 */
import { closeSync, readFileSync, readlinkSync } from 'node:fs'

/** A socket that is listened on, for a process that is to listen on it as well. */
export interface SharedSocket {
  readonly fd: number
  /** See `HandedSocket`, also for the other. */
  readonly text?: string | undefined
  readonly isOurs: boolean
}

/** What the socket is for. */
export type SocketName = 'server' | 'admin'

export interface HandedSocket {
  readonly name: SocketName
  readonly fd: number
  /** Of a predecessor: the address as its configuration had it, once it has listened there. Of systemd nothing is said. */
  readonly text?: string | undefined
  /** Its file is removed by whoever closes it last; systemd's is not ours. */
  readonly isOurs: boolean
}

export interface HandedSockets {
  /** At most one for each name. */
  readonly sockets: readonly HandedSocket[]
  /** Where a predecessor waits to hear that this process listens, or why it never will. */
  readonly reportFd: number | undefined
}

/** Of the environment of a successor; JSON of `Handover`. */
export const HANDOVER = 'FLUXGATE_HANDOVER'

export interface Handover {
  readonly reportFd: number
  readonly sockets: readonly HandedSocket[]
}

const FIRST_SYSTEMD_FD = 3

/** Whether there are any; the environment is left as it is. */
export function hasHandedSockets(env: NodeJS.ProcessEnv, pid: number = process.pid): boolean {
  return env[HANDOVER] !== undefined || env['LISTEN_PID'] === String(pid)
}

/** Takes them out of the environment, so that no child takes them for its own. */
export function takeHandedSockets(env: NodeJS.ProcessEnv, pid: number = process.pid): HandedSockets {
  const handover = env[HANDOVER]
  const { LISTEN_PID: forPid, LISTEN_FDS: count = '0', LISTEN_FDNAMES: names = '' } = env
  for (const name of [HANDOVER, 'LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name]
  const given = handover === undefined ? undefined : parseHandover(handover)
  if (given !== undefined) {
    return {
      reportFd: given.reportFd,
      sockets: given.sockets.map((socket) => ({ ...socket, isOurs: socket.isOurs ?? true })),
    }
  }
  if (forPid !== String(pid)) return { reportFd: undefined, sockets: [] }
  const sockets: HandedSocket[] = []
  for (let nth = 0; nth < Number(count); nth++) {
    const name = names.split(':')[nth] === 'admin' ? 'admin' : 'server'
    const fd = FIRST_SYSTEMD_FD + nth
    if (sockets.some((other) => other.name === name)) closeSync(fd)
    else sockets.push({ name, fd, isOurs: false })
  }
  return { reportFd: undefined, sockets }
}

/** Undefined: it is none of ours, whoever has set it. */
function parseHandover(text: string): Handover | undefined {
  try {
    const handover = JSON.parse(text) as Handover
    return Number.isInteger(handover.reportFd) && Array.isArray(handover.sockets) ? handover : undefined
  } catch {
    return undefined
  }
}

/** Of a Unix socket that is listened on, as the kernel knows it: Node does not say. Undefined for any other. */
export function unixPathOf(fd: number): string | undefined {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1]
    // Num RefCount Protocol Flags Type St Inode Path
    const lines = readFileSync('/proc/self/net/unix', 'latin1').split('\n')
    const line = lines.find((each) => each.trim().split(/\s+/)[6] === inode)
    return line === undefined ? undefined : (/^(?:\S+\s+){7}(.*)$/.exec(line.trim())?.[1] ?? '')
  } catch {
    return undefined
  }
}
