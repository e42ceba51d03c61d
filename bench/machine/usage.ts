import { readdirSync, readFileSync } from 'node:fs'

/** The contender has this core to itself. */
export const CONTENDER_CORE = 0

export interface Usage {
  /** Of the process, its threads and its children. */
  readonly cpuSeconds: number
  /** Of the time of the contender's core: what neither went to them nor was idle. From 0 to 1. */
  readonly foreignShare: number
}

/** What is used from now on until the result is called. With more than one core nothing is known of others. */
export function meter(pid: number, isAlone = true): () => Usage {
  const [startMs, cpuBefore, coreBefore] = [performance.now(), cpuSeconds(pid), busySeconds(CONTENDER_CORE)]
  return () => {
    const used = cpuSeconds(pid) - cpuBefore
    const foreign = busySeconds(CONTENDER_CORE) - coreBefore - used
    const share = foreign / ((performance.now() - startMs) / 1000)
    return { cpuSeconds: used, foreignShare: isAlone ? Math.max(0, share) : 0 }
  }
}

/** Time of a core that was not idle, to a hundredth of a second. What another guest of the machine took of it is in it. */
function busySeconds(core: number): number {
  const times = new RegExp(`^cpu${core} (.*)$`, 'm').exec(read('stat'))![1]!.split(' ').map(Number)
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = times
  return (user + nice + system + irq + softirq + steal) / 100
}

/** User and system time of a process, its threads and its children. Of threads that have ended nothing is known. */
function cpuSeconds(pid: number): number {
  return sum(pid, (member) => {
    const tasks = readdirSync(`/proc/${member}/task`)
    // Nanoseconds on a core, where `stat` counts hundredths of a second.
    return (
      tasks.reduce((total, task) => total + Number(read(`${member}/task/${task}/schedstat`).split(' ', 1)), 0) / 1e9
    )
  })
}

/** Resident memory of a process and its children. A page that they share counts once (PSS). */
export function residentKb(pid: number): number {
  return sum(pid, (member) => Number(/^Pss: *(\d+)/m.exec(read(`${member}/smaps_rollup`))![1]))
}

/** What the kernel says each of them holds, added up: what they share counts for each. This is what operators see. */
export function residentSetKb(pid: number): number {
  return sum(pid, (member) => Number(/^VmRSS:\s*(\d+)/m.exec(read(`${member}/status`))![1]))
}

/** A process and all its children; nothing when it is gone. */
export function family(pid: number): number[] {
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    )
    return [pid, ...children.flatMap(family)]
  } catch {
    return []
  }
}

function sum(pid: number, measure: (member: number) => number): number {
  const members = family(pid)
  if (members.length === 0) throw new Error('the process has ended')
  return members.reduce((total, member) => total + measure(member), 0)
}

function read(path: string): string {
  return readFileSync(`/proc/${path}`, 'utf8')
}
