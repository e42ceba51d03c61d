/** The families of any process, and of any that runs on Node, under the names that dashboards know. */
import { readdirSync, statSync } from 'node:fs'
import { getHeapSpaceStatistics } from 'node:v8'
import { descriptorLimit } from '../runtime/descriptors.ts'
import type { Family } from './exposition.ts'

type Values = readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[]

function family(name: string, type: 'counter' | 'gauge', help: string, values: number | undefined | Values): Family {
  const samples =
    values === undefined ? [] : typeof values === 'number' ? [{ labels: NONE, value: values }] : values.map(toSample)
  return { name, type, help, samples }
}

const NONE = {}

function toSample([labels, value]: Values[number]) {
  return { labels, value }
}

export function processFamilies(): Family[] {
  const { user, system } = process.cpuUsage()
  const memory = process.memoryUsage()
  const resources = new Map<string, number>()
  for (const type of process.getActiveResourcesInfo()) resources.set(type, (resources.get(type) ?? 0) + 1)
  const spaces = getHeapSpaceStatistics()
  const perSpace = (value: (space: (typeof spaces)[number]) => number): Values =>
    spaces.map((space) => [{ space: space.space_name.replace(/_space$/, '') }, value(space)])
  return [
    family('process_cpu_user_seconds_total', 'counter', 'User CPU time, in seconds.', user / 1e6),
    family('process_cpu_system_seconds_total', 'counter', 'System CPU time, in seconds.', system / 1e6),
    family('process_cpu_seconds_total', 'counter', 'User and system CPU time, in seconds.', (user + system) / 1e6),
    family(
      'process_start_time_seconds',
      'gauge',
      'Start time of the process since unix epoch in seconds.',
      Math.round(Date.now() / 1000 - process.uptime()),
    ),
    family('process_resident_memory_bytes', 'gauge', 'Resident memory size in bytes.', memory.rss),
    family('process_open_fds', 'gauge', 'Number of open file descriptors.', openDescriptors()),
    family('process_max_fds', 'gauge', 'Maximum number of open file descriptors.', descriptorLimit()),
    family('nodejs_heap_size_total_bytes', 'gauge', 'Heap of the main thread, in bytes.', memory.heapTotal),
    family('nodejs_heap_size_used_bytes', 'gauge', 'Used heap of the main thread, in bytes.', memory.heapUsed),
    family('nodejs_external_memory_bytes', 'gauge', 'Memory outside of the heap, in bytes.', memory.external),
    family(
      'nodejs_heap_space_size_used_bytes',
      'gauge',
      'Used bytes of each space of the heap of the main thread.',
      perSpace(({ space_used_size }) => space_used_size),
    ),
    family(
      'nodejs_active_resources',
      'gauge',
      'What keeps the event loop of the main thread busy, by type.',
      [...resources].map(([type, count]) => [{ type }, count]),
    ),
    family('nodejs_version_info', 'gauge', '1, with the version of Node.', [[versionOf(process.versions.node), 1]]),
  ]
}

function versionOf(version: string): Record<string, string> {
  const [major = '', minor = '', patch = ''] = version.split('.')
  return { version: `v${version}`, major, minor, patch }
}

/** Where there is no /proc, nothing. The one that is opened to look does not count. */
function openDescriptors(): number | undefined {
  try {
    // Linux 6.2 and later say it at once; reading the folder of ten thousands of them takes milliseconds.
    return statSync('/proc/self/fd').size || readdirSync('/proc/self/fd').length - 1
  } catch {
    return undefined
  }
}
