import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { DEADLINE_MS } from './deadline.ts'
import type { RunningGateway } from './gateway.ts'

/** What a gateway holds when all garbage has been collected. */
export interface Footprint {
  /** Bytes of live objects and of the memory outside the heap that they keep. */
  readonly live: number
  /** Resident memory in bytes. */
  readonly resident: number
  /** What keeps the event loop busy, by kind: sockets, timers, requests to the system. */
  readonly resources: Readonly<Record<string, number>>
}

/** The environment of a gateway that can be asked for its footprint. */
export const REPORTING: NodeJS.ProcessEnv = {
  NODE_OPTIONS: `--import=${fileURLToPath(new URL('./footprint-reporter.ts', import.meta.url))}`,
}

const REPORT = /^footprint (\{.*\})$/gm

/** Asks a gateway that was started with `REPORTING`. */
export async function footprint(gateway: RunningGateway): Promise<Footprint> {
  const reports = (): string[] => [...gateway.log().matchAll(REPORT)].map(([, json]) => json!)
  const before = reports().length
  gateway.signal('SIGWINCH')
  return JSON.parse(await gateway.until(() => reports()[before], 'its footprint')) as Footprint
}

/** Descriptors that the process has open (Linux). */
export const openDescriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length

/** Looks until there are no more than `limit`: nothing announces the end of another process's descriptor. */
export async function untilDescriptors(pid: number, limit: number, ms: number = DEADLINE_MS): Promise<void> {
  const deadline = performance.now() + ms
  for (let open = openDescriptors(pid); open > limit; open = openDescriptors(pid)) {
    if (performance.now() > deadline) throw new Error(`${open} descriptors are open, ${limit} were before`)
    await sleep(5)
  }
}
