import { readdirSync, readFileSync } from 'node:fs'

/** User and system time of a process, its threads and its children. Of threads that have ended nothing is known. */
export function cpuSeconds(pid: number): number {
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
