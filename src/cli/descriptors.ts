import { announce, EVENTS } from '../observe/events.ts'
import type { Log } from '../observe/log.ts'
import { descriptorLimit } from '../runtime/descriptors.ts'

/** The client's and the upstream's. */
const PER_CONNECTION = 2
/** The log, the listening socket, the thread of the configuration, epoll, DNS: about 40 on Linux. */
const RESERVE = 64

/** Warns if the process may open fewer files than `server.max_connections` can come to: past it clients are hung up on. */
export function warnOfFewDescriptors(log: Log, maxConnections: number, limit = descriptorLimit()): void {
  const needed = maxConnections * PER_CONNECTION + RESERVE
  if (limit === undefined || limit >= needed) return
  announce(log, EVENTS.fewDescriptors, {
    limit,
    needed,
    max_connections: maxConnections,
    cure: 'raise LimitNOFILE= of the unit or ulimit -n of the shell, or lower server.max_connections',
  })
}
