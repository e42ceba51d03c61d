import type { ServerSettings } from '../config/snapshot.ts'
import { announce, EVENTS } from '../observe/events.ts'
import type { Log } from '../observe/log.ts'
import { descriptorLimit } from '../runtime/descriptors.ts'

/** The client's and the upstream's. */
const PER_CONNECTION = 2
/** The log, the listening socket, the thread of the configuration, epoll, DNS: about 40 on Linux. */
const RESERVE = 64
/** Its loop and its way to the thread that accepts, eight on Linux; and a connection that is handed over has two for a moment. */
const PER_WORKER = 12

/** Warns if the process may open fewer files than `server.max_connections` can come to: past it clients are hung up on. */
export function warnOfFewDescriptors(
  log: Log,
  { maxConnections, workers }: Pick<ServerSettings, 'maxConnections' | 'workers'>,
  limit = descriptorLimit(),
): void {
  const needed = maxConnections * PER_CONNECTION + RESERVE + (workers > 1 ? workers * PER_WORKER : 0)
  if (limit === undefined || limit >= needed) return
  announce(log, EVENTS.fewDescriptors, {
    limit,
    needed,
    max_connections: maxConnections,
    cure: 'raise LimitNOFILE= of the unit or ulimit -n of the shell, or lower server.max_connections',
  })
}
