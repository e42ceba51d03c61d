import { readdirSync, readFileSync } from 'node:fs'

/** Clock ticks per second in /proc/…/stat, the same on every Linux that Node supports. */
const TICKS = 100

/** User and system time of a process, its threads and its children. */
export function cpuSeconds(pid: number): number {
  return sum(pid, (member) => {
    const stat = readFileSync(`/proc/${member}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / TICKS
  })
}

/** Resident memory of a process and its children. A page that they share counts once (PSS). */
export function residentKb(pid: number): number {
  return sum(pid, (member) => Number(/^Pss: *(\d+)/m.exec(readFileSync(`/proc/${member}/smaps_rollup`, 'utf8'))![1]))
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

function sum(pid: number, read: (member: number) => number): number {
  const members = family(pid)
  if (members.length === 0) throw new Error('the process has ended')
  return members.reduce((total, member) => total + read(member), 0)
}
