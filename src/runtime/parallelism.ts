/**
 * How many threads can really run at once: the processors that the process may use, and the CPU time that its container may
 * use. `os.availableParallelism` knows the first; measured on Node 24 and 26, a quota of half a processor (cgroup v1) still is
 * all of the machine to it, and in cgroup v2 libuv looks at one group alone and rounds down.
 */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { posix } from 'node:path'

/** The content of a file, or undefined where there is none that can be read. */
export type ReadFile = (path: string) => string | undefined

/** At least 1: the processors of this process or its quota rounded up, whichever is less. Takes a few small reads of /proc and /sys. */
export function parallelism(read: ReadFile = readText, otherwise: () => number = availableParallelism): number {
  const processors = usableProcessors(read) ?? otherwise()
  const quota = cpuQuota(read) ?? processors
  return Math.max(1, Math.min(processors, Math.ceil(quota)))
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}

/** The processors that run and that this process may run on; undefined where /proc and /sys do not say. */
function usableProcessors(read: ReadFile): number | undefined {
  const allowed = parseList(/^Cpus_allowed_list:\s*(\S+)/m.exec(read('/proc/self/status') ?? '')?.[1])
  const online = parseList(read('/sys/devices/system/cpu/online')?.trim())
  // The mask of a process that nobody has pinned may name processors that the machine could have.
  const both = allowed?.filter((processor) => online?.includes(processor))
  return both === undefined || both.length === 0 ? undefined : both.length
}

/** Far above what Linux can be built for (NR_CPUS). */
const MAX_PROCESSOR = 65_535

/** `0-3,8`: the processors one by one. */
function parseList(text: string | undefined): number[] | undefined {
  const processors: number[] = []
  for (const range of text?.split(',') ?? []) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(range)
    const last = Number(match?.[2] ?? match?.[1])
    if (match === null || last > MAX_PROCESSOR) return undefined
    for (let processor = Number(match[1]); processor <= last; processor++) processors.push(processor)
  }
  return processors.length === 0 ? undefined : processors
}

/**
 * The CPU time that the groups of this process may use, in processors (`1.5`), cgroup v2 and v1; undefined: without a limit, or
 * it cannot be told. A quota of a parent holds for all below it, so that the least one on the way up counts (cgroups(7); Linux,
 * Documentation/admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst).
 */
export function cpuQuota(read: ReadFile): number | undefined {
  const mounts = parseMounts(read('/proc/self/mountinfo') ?? '')
  let least: number | undefined
  for (const { hierarchy, path } of parseGroups(read('/proc/self/cgroup') ?? '')) {
    const quotaOf = hierarchy === 'v2' ? quotaOfV2 : quotaOfV1
    const own = mounts.filter((mount) => mount.hierarchy === hierarchy)
    for (const folder of foldersOf(path, own)) {
      const quota = quotaOf(folder, read)
      if (quota !== undefined && !(quota >= least!)) least = quota
    }
  }
  return least
}

type Hierarchy = 'v1' | 'v2'

interface Group {
  readonly hierarchy: Hierarchy
  /** In the namespace of the process, or above it (`/../b`). */
  readonly path: string
}

/** Lines of /proc/self/cgroup, `4:cpu,cpuacct:/a` and `0::/a`: the groups that can limit CPU time. */
function parseGroups(text: string): Group[] {
  const groups: Group[] = []
  for (const line of text.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    if (controllers === undefined || path === undefined) continue
    if (controllers === '') groups.push({ hierarchy: 'v2', path })
    else if (controllers.split(',').includes('cpu')) groups.push({ hierarchy: 'v1', path })
  }
  return groups
}

interface Mount {
  readonly hierarchy: Hierarchy
  /** The group that is seen at `point`. */
  readonly root: string
  readonly point: string
}

/** Lines of /proc/self/mountinfo (proc_pid_mountinfo(5)): where the groups that can limit CPU time are seen. */
function parseMounts(text: string): Mount[] {
  const mounts: Mount[] = []
  for (const line of text.split('\n')) {
    const [before, after] = line.split(' - ', 2)
    const [, , , root, point] = before!.split(' ')
    const [type, , options] = after?.split(' ') ?? []
    if (root === undefined || point === undefined) continue
    const mount = { root: unescapeOctal(root), point: unescapeOctal(point) }
    if (type === 'cgroup2') mounts.push({ hierarchy: 'v2', ...mount })
    else if (type === 'cgroup' && options?.split(',').includes('cpu')) mounts.push({ hierarchy: 'v1', ...mount })
  }
  return mounts
}

/** Blank, tab, line feed and backslash are written as `\040` there. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}

/** The folders of a group and of all above it that can be seen, innermost first. */
function foldersOf(path: string, mounts: readonly Mount[]): string[] {
  const fitting = mounts.filter(({ root }) => isBelow(path, root))
  // A container may see its own group alone, under a name that it does not know: then the mount is that group, or one above it.
  if (fitting.length === 0) return mounts.map(({ point }) => point)
  const folders: string[] = []
  for (const { root, point } of fitting) {
    let folder = posix.join(point, path.slice(root === '/' ? 0 : root.length)).replace(/\/$/, '')
    while (folder.length > point.length) {
      folders.push(folder)
      folder = posix.dirname(folder)
    }
    folders.push(point)
  }
  return folders
}

function isBelow(path: string, root: string): boolean {
  if (`${path}/`.includes('/../')) return false
  return root === '/' || path === root || path.startsWith(`${root}/`)
}

/** `50000 100000`, `max 100000`: microseconds of each period. */
function quotaOfV2(folder: string, read: ReadFile): number | undefined {
  const [quota, period] = (read(`${folder}/cpu.max`) ?? '').trim().split(' ')
  return ratio(quota, period)
}

/** A quota of -1 is none. */
function quotaOfV1(folder: string, read: ReadFile): number | undefined {
  return ratio(read(`${folder}/cpu.cfs_quota_us`)?.trim(), read(`${folder}/cpu.cfs_period_us`)?.trim())
}

function ratio(quota: string | undefined, period: string | undefined): number | undefined {
  const processors = Number(quota) / Number(period)
  return quota !== '' && processors > 0 && Number.isFinite(processors) ? processors : undefined
}
