import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { LOAD_CORE, pinned } from '../machine/processes.ts'
import type { Target } from './request.ts'

export interface WrkLoad {
  readonly connections: number
  readonly seconds: number
  readonly contentBytes: number
}

/** How many requests were answered. */
export async function wrk(target: Target, { connections, seconds, contentBytes }: WrkLoad): Promise<number> {
  const script = join(import.meta.dirname, 'post.lua')
  const url = `http://127.0.0.1:${target.port}${target.path}`
  const options = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout=10s', '-s', script, url]
  const command = ['wrk', ...options, '--', String(contentBytes), ...target.headers]
  const output = await text(pinned(LOAD_CORE, command, { stdio: ['ignore', 'pipe', 'inherit'] }).stdout!)
  const [wrong] = /Non-2xx.*|Socket errors.*/.exec(output) ?? []
  if (wrong !== undefined) throw new Error(`wrk: ${wrong}`)
  const answered = Number(/(\d+) requests in/.exec(output)?.[1] ?? 0)
  if (answered === 0) throw new Error('no request was answered')
  return answered
}
