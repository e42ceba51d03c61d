import { readdirSync, readFileSync } from 'node:fs'

/** The process and all its descendants (Linux). */
function processTree(pid: number): number[] {
  const pids: number[] = []
  const open = [pid]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    pids.push(next)
    try {
      for (const thread of readdirSync(`/proc/${next}/task`)) {
        const children = readFileSync(`/proc/${next}/task/${thread}/children`, 'utf8')
        open.push(...children.split(' ').filter(Boolean).map(Number))
      }
    } catch {
      // it has ended meanwhile
    }
  }
  return pids
}

const kibibytes = (pid: number, row: string): number =>
  Number(new RegExp(`^${row}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)

/** Resident memory of the process and its descendants, in bytes. */
export function residentBytes(pid: number): number {
  return processTree(pid).reduce((sum, each) => sum + kibibytes(each, 'VmRSS') * 1024, 0)
}
