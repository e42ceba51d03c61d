import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import type { Door } from '../contenders/contender.ts'
import { nginxOrigin } from '../contenders/nginx.ts'
import type { Server } from '../contenders/server.ts'
import { LOAD_CORE, lines, pinned, stop } from '../machine/processes.ts'
import { isInstalled } from '../machine/programs.ts'
import type { Target } from './request.ts'

export const ANSWER =
  '{"id":"chatcmpl-123","object":"chat.completion","created":1677652288,"model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"Hello there, how may I assist you today?"},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}'

const FAILED = 'failed: '

/** A program of this folder, on the core of the load. Disposing of it ends it. */
export interface Running extends AsyncDisposable {
  readonly pid: number
  /** The next line of output; throws what stands behind `failed: `. */
  line(): Promise<string>
  say(line: string): void
}

export function program(file: string, args: readonly string[] = []): Running {
  const command = [process.execPath, join(import.meta.dirname, file), ...args]
  const child: ChildProcess = pinned(String(LOAD_CORE), command, { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin!.on('error', () => {})
  const next = lines(child, file)
  return {
    pid: child.pid!,
    line: async () => {
      const line = await next()
      if (line.startsWith(FAILED)) throw new Error(line.slice(FAILED.length))
      return line
    },
    say: (line) => child.stdin!.write(`${line}\n`),
    [Symbol.asyncDispose]: () => stop(child),
  }
}

/** Reads whatever it is sent, and answers it. */
export function contentOrigin(isTls = false): Promise<Server> {
  return origin('content-origin.ts', [ANSWER], isTls)
}

/** Answers small requests; as cheaply as can be, if nginx is there. */
export function smallOrigin(isTls = false): Promise<Server> {
  return isInstalled('nginx') ? nginxOrigin(ANSWER, isTls) : contentOrigin(isTls)
}

export function eventOrigin(
  events: number,
  intervalMs: number,
  isTls = false,
  coding: '' | 'gzip' = '',
): Promise<Server> {
  return origin(coding === 'gzip' ? 'gzip-origin.ts' : 'event-origin.ts', [String(events), String(intervalMs)], isTls)
}

async function origin(file: string, args: readonly string[], isTls: boolean): Promise<Server> {
  const running = program(file, isTls ? [...args, 'tls'] : args)
  // An origin prints its port first.
  const port = Number(await running.line())
  return { port, pid: running.pid, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() }
}

export function targetOf(name: string, door: Door, port: number, originPort: number): Target {
  return { name, port, path: door.path, headers: door.headers(originPort) }
}
