import { readFileSync } from 'node:fs'
import { cpus, loadavg, release } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly kernel: string
  /** Mean number of processes that ran or wanted to, over the last minute. */
  readonly load: number
  /** Share of all cores' time that went somewhere else, right before the run. */
  readonly busyPercent: number
}

export async function describeMachine(): Promise<Machine> {
  const before = coreTimes()
  await sleep(1000)
  const after = coreTimes()
  const idle = (after.idle - before.idle) / (after.total - before.total)
  return {
    cpu: cpus()[0]!.model.trim(),
    cores: cpus().length,
    kernel: release(),
    load: loadavg()[0]!,
    busyPercent: Math.round((1 - idle) * 100),
  }
}

export function isIdle({ load, busyPercent }: Machine): boolean {
  return load < 0.5 && busyPercent < 10
}

/** Time that another guest of the same machine took counts as not idle. */
function coreTimes(): { idle: number; total: number } {
  const [line] = readFileSync('/proc/stat', 'utf8').split('\n')
  const times = line!.split(/ +/).slice(1, 9).map(Number)
  return { idle: times[3]! + times[4]!, total: times.reduce((sum, time) => sum + time, 0) }
}
