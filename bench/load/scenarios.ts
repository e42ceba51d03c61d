import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { CLIENT_KEY, PREFIX, type Server, type Start, smallOrigin } from './contenders.ts'
import { cpuSeconds, LOAD_CORE, lines, pinned, stop } from './processes.ts'

export interface Measurement {
  /** CPU of the contender, per thing. */
  readonly cpuMicros: number
  /** Things per second of wall-clock time. */
  readonly rate: number
  /** How long after it was sent the latest hundredth of the events came. */
  readonly lateMs?: number
}

export interface Scenario {
  readonly title: string
  measure(start: Start): Promise<Measurement>
}

const PATH = `${PREFIX}/v1/chat/completions`
const SECONDS = 4
const ANSWER =
  '{"id":"chatcmpl-123","object":"chat.completion","created":1677652288,"model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"Hello there, how may I assist you today?"},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}'

export const scenarios: Readonly<Record<string, Scenario>> = {
  post: {
    title: 'small POST, 64 connections',
    measure: (start) => posts(() => smallOrigin(ANSWER), start, 64, 230),
  },
  stream: {
    title: 'streamed event, 200 streams × 100/s',
    measure: streamed,
  },
  upload: {
    title: '512 KB upload, 16 connections',
    measure: (start) => posts(() => origin('upload-origin.ts'), start, 16, 512 * 1024),
  },
}

async function posts(
  startOrigin: () => Promise<Server>,
  start: Start,
  connections: number,
  contentBytes: number,
): Promise<Measurement> {
  const upstream = await startOrigin()
  const gateway = await start(upstream.port)
  try {
    await wrk(gateway.port, connections, 2, contentBytes)
    const before = cpuSeconds(gateway.pid)
    const requests = await wrk(gateway.port, connections, SECONDS, contentBytes)
    const used = cpuSeconds(gateway.pid) - before
    return { cpuMicros: (used / requests) * 1e6, rate: requests / SECONDS }
  } finally {
    await gateway.close()
    await upstream.close()
  }
}

async function streamed(start: Start): Promise<Measurement> {
  const upstream = await origin('event-origin.ts')
  const gateway = await start(upstream.port)
  const clients = program('event-clients.ts', ['200', String(SECONDS), String(gateway.port), PATH, CLIENT_KEY])
  try {
    const line = lines(clients)
    await line()
    const before = cpuSeconds(gateway.pid)
    const { events, lateMs } = JSON.parse(await line()) as { events: number; lateMs: number }
    const used = cpuSeconds(gateway.pid) - before
    return { cpuMicros: (used / events) * 1e6, rate: events / SECONDS, lateMs }
  } finally {
    await stop(clients)
    await gateway.close()
    await upstream.close()
  }
}

/** A program of this folder, on the core of the load. */
function program(file: string, args: readonly string[] = []): ChildProcess {
  const command = [process.execPath, join(import.meta.dirname, file), ...args]
  return pinned(LOAD_CORE, command, ['ignore', 'pipe', 'inherit'])
}

/** An origin prints its port first. */
async function origin(file: string): Promise<Server> {
  const child = program(file)
  return { port: Number(await lines(child)()), pid: child.pid!, close: () => stop(child) }
}

/** How many requests were answered. */
async function wrk(port: number, connections: number, seconds: number, contentBytes: number): Promise<number> {
  const script = join(import.meta.dirname, 'post.lua')
  const options = ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, `http://127.0.0.1:${port}${PATH}`]
  const command = ['wrk', ...options, '--', CLIENT_KEY, String(contentBytes)]
  const output = await text(pinned(LOAD_CORE, command, ['ignore', 'pipe', 'inherit']).stdout!)
  const [wrong] = /Non-2xx.*|Socket errors.*/.exec(output) ?? []
  if (wrong !== undefined) throw new Error(`wrk: ${wrong}`)
  return Number(/(\d+) requests in/.exec(output)![1])
}
