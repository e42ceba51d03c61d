import { monitorEventLoopDelay } from 'node:perf_hooks'
import { type PageMemory, Series, set } from './series.ts'
import { Traffic } from './traffic.ts'

/** How many connections an upstream has in each state. */
type Connections = Readonly<Record<'idle' | 'busy' | 'connecting', number>>

/** The metrics of one thread that serves. */
export interface ThreadMetrics {
  readonly traffic: Traffic
  /** What is and not what was, for somebody who looks now: connections by the name of their upstream, and how late the event loop is. */
  refresh(connections: ReadonlyMap<string, Connections>): void
  /** The event loop is no longer watched; all else goes on. */
  close(): void
}

/** Of the samples of the event loop, ms: each costs a timer. */
const SAMPLE_MS = 20
const NONE: Connections = { idle: 0, busy: 0, connecting: 0 }

/** `onPage`: see `Series`; `models`: see `UsageCounts`. */
export function startThreadMetrics(
  worker: number,
  onPage: (memory: PageMemory) => void,
  models: SharedArrayBuffer,
): ThreadMetrics {
  const series = new Series(onPage)
  const traffic = new Traffic(series, models)
  const delay = monitorEventLoopDelay({ resolution: SAMPLE_MS })
  delay.enable()
  const late = series.of('fluxgate_event_loop_delay_seconds', `${worker}`)
  /** Upstreams that had connections. */
  let shown = new Set<string>()
  return {
    traffic,
    refresh(connections) {
      const names = new Set([...shown, ...connections.keys()])
      for (const name of names) {
        const counts = connections.get(name) ?? NONE
        const upstream = traffic.upstream(name)
        upstream.connections('idle', counts.idle)
        upstream.connections('busy', counts.busy)
        upstream.connections('connecting', counts.connecting)
      }
      shown = new Set(connections.keys())
      // A sample holds the time between two of them.
      const p99Ms = delay.count === 0 ? 0 : delay.percentile(99) / 1e6 - SAMPLE_MS
      set(late, Math.max(0, p99Ms) / 1000)
      delay.reset()
    },
    close: () => void delay.disable(),
  }
}
