/**
 * SIGUSR2: another process takes over. It is started with the same command line, from what is on disk now, and listens on the same
 * sockets, so that nobody who connects meanwhile is lost. Only when it says that it listens does this one stop accepting.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, writeSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { announce, EVENTS } from '../observe/events.ts'
import type { Log } from '../observe/log.ts'
import { HANDOVER, type Handover, type SharedSocket, type SocketName } from '../runtime/handed-sockets.ts'
import { ownArguments } from '../runtime/process-needs.ts'

/** How long a successor may take until it listens. */
const LIMIT_MS = 30_000
const REPORT_FD = 3
/** What it reports; anything else is why it never will. */
const LISTENS = 'listening'

export interface UpgradeOptions {
  readonly log: Log
  /** What the successor is to listen on. */
  readonly sockets: () => readonly (SharedSocket & { readonly name: SocketName })[]
  /** Why this process can have no successor, if that is so. */
  readonly obstacle?: string | undefined
  /** Hears of a successor that listens no more or never will: what it may have left behind is the caller's. */
  readonly onFailed?: (successor: number) => void
  readonly limitMs?: number
  readonly command?: readonly string[]
}

export interface Upgrade {
  /** Starts a successor, unless one is starting. */
  begin(): void
  /** Resolves when no successor is starting: at once, or when it has failed; or when this process is on its way out. */
  settled(): Promise<void>
  /** Resolves when a successor listens. */
  readonly completed: Promise<void>
  /** The gateway stops: a successor that does not listen yet goes with it. The one that listens, if there is one. */
  close(): number | undefined
}

/** Those that are listened on. */
export function namedSockets(sockets: Readonly<Partial<Record<SocketName, SharedSocket | undefined>>>) {
  return Object.entries(sockets).flatMap(([name, socket]) =>
    socket === undefined ? [] : [{ name: name as SocketName, ...socket }],
  )
}

export function createUpgrade({
  log,
  sockets,
  obstacle,
  onFailed,
  limitMs = LIMIT_MS,
  command,
}: UpgradeOptions): Upgrade {
  const { promise: completed, resolve: complete } = Promise.withResolvers<void>()
  let successor: ChildProcess | undefined
  let isOver = false
  let heir: number | undefined
  let settled = Promise.withResolvers<void>()
  settled.resolve()

  function kill(child: ChildProcess): void {
    child.kill('SIGKILL')
    if (child.pid !== undefined) onFailed?.(child.pid)
  }

  function begin(): void {
    if (isOver || successor !== undefined) return
    if (obstacle !== undefined) {
      announce(log, EVENTS.upgradeFailed, { error: obstacle })
      return
    }
    let child: ChildProcess
    try {
      child = start(sockets(), command ?? [process.execPath, ...ownArguments()])
    } catch (error) {
      // Some of what the system refuses is thrown: memory for another process, say.
      announce(log, EVENTS.upgradeFailed, { error: (error as Error).message })
      return
    }
    successor = child
    settled = Promise.withResolvers<void>()
    announce(log, EVENTS.upgradeStarted, { successor: child.pid })
    // This process may have been stopped itself, and the report have come meanwhile: it is read in the same turn, after timers.
    const timer = setTimeout(() => setImmediate(fail, `it does not listen after ${limitMs / 1000} s`), limitMs)
    const settle = (): void => {
      clearTimeout(timer)
      child.removeAllListeners()
      child.on('error', () => {})
      child.unref()
      successor = undefined
    }
    const fail = (error: string): void => {
      if (successor !== child) return
      settle()
      kill(child)
      settled.resolve()
      if (!isOver) announce(log, EVENTS.upgradeFailed, { error })
    }
    hearReport(child, (report) => {
      if (successor !== child) return
      if (report !== LISTENS) {
        fail(report)
        return
      }
      settle()
      if (isOver) return
      isOver = true
      heir = child.pid
      announce(log, EVENTS.upgradeComplete, { successor: child.pid })
      complete()
    })
    child.on('error', (error) => fail(error.message))
    // Its report, if it has made one, has come by then.
    child.on('close', (code, signal) => fail(`it ended before it listened: ${signal ?? `exit code ${code}`}`))
  }

  return {
    begin,
    settled: () => settled.promise,
    completed,
    close() {
      isOver = true
      settled.resolve()
      // It serves nobody yet, and might outlive this process.
      if (successor !== undefined) kill(successor)
      return heir
    },
  }
}

function start(sockets: ReturnType<UpgradeOptions['sockets']>, [program, ...args]: readonly string[]): ChildProcess {
  const handover: Handover = {
    reportFd: REPORT_FD,
    sockets: sockets.map((socket, nth) => ({ ...socket, fd: REPORT_FD + 1 + nth })),
  }
  return spawn(program!, args, {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe', ...sockets.map(({ fd }) => fd)],
    env: { ...process.env, [HANDOVER]: JSON.stringify(handover) },
  })
}

function hearReport(child: ChildProcess, heard: (report: string) => void): void {
  let report = ''
  // Out of descriptors there is none of it, and an `error` comes.
  const stdio = child.stdio as ChildProcess['stdio'] | undefined
  const reports = stdio?.[REPORT_FD] as Readable | null | undefined
  reports?.on('error', () => {})
  reports?.setEncoding('utf8').on('data', (text: string) => {
    report += text
    if (!report.endsWith('\n')) return
    reports.destroy()
    heard(report.trim())
  })
}

/** Of a successor, towards whom it takes over from. */
export interface Report {
  listening(): void
  /** Why it never will. */
  failed(error: string): void
}

/** `fd`: see `HandedSockets`; undefined: nobody waits. */
export function reportTo(fd: number | undefined): Report {
  let isOpen = fd !== undefined
  function say(text: string): void {
    if (!isOpen) return
    isOpen = false
    try {
      writeSync(fd!, `${text}\n`)
      closeSync(fd!)
    } catch {
      // Whoever waited has gone, and this process serves all the same.
    }
  }
  return { listening: () => say(LISTENS), failed: (error) => say(error.replaceAll('\n', ' ')) }
}

/** Why this process can have no successor, if that is so. */
export function obstacleToUpgrades(isPiped: boolean, pid: number = process.pid): string | undefined {
  if (isPiped) return 'the configuration came through a pipe, and cannot be read again'
  return pid === 1
    ? 'this process is PID 1 of a container, which ends with it: replace the container instead'
    : undefined
}
