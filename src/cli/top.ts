/** `fluxgate top`: what a gateway does, each second anew. */
import { setTimeout as wait } from 'node:timers/promises'
import type { Status } from '../admin/status.ts'
import { render, summarize } from '../tools/top/render.ts'
import { ask, type DoorAddress, findDoor } from './admin-client.ts'

const EVERY_MS = 1000
const LIMIT_MS = 5000

const ENTER = '\x1b[?1049h\x1b[?25l'
const LEAVE = '\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const TO_END_OF_LINE = '\x1b[K'
const TO_END_OF_SCREEN = '\x1b[J'

type Streams = { readonly input: NodeJS.ReadStream; readonly output: NodeJS.WriteStream }

export async function top(
  configPath: string,
  url: string | undefined,
  { input, output }: Streams = { input: process.stdin, output: process.stdout },
  env: NodeJS.ProcessEnv = process.env,
): Promise<number> {
  const door = findDoor(configPath, url, env)
  if ('wrong' in door) {
    process.stderr.write(`error: ${door.wrong}\n`)
    return 2
  }
  const over = new AbortController()
  const { signal } = over
  const end = (): void => over.abort()
  process.once('SIGTERM', end)
  process.once('SIGINT', end)
  process.once('SIGHUP', end)
  output.on('error', end)
  const isScreen = output.isTTY === true
  const keys = (bytes: Buffer): void => {
    // q, Q, Ctrl-C, Ctrl-D.
    if (/[qQ\x03\x04]/.test(bytes.toString('latin1'))) end()
  }
  const readsKeys = isScreen && input.isTTY === true
  if (readsKeys) input.setRawMode(true).on('data', keys).resume()
  if (isScreen) output.write(ENTER)
  try {
    while (!signal.aborted) {
      const found = await look(door)
      if (signal.aborted) break
      if (isScreen) output.write(screen(found, output))
      else output.write(`${typeof found === 'string' ? `${time()} ${found}` : summarize(found, time())}\n`)
      await pause(EVERY_MS, signal)
    }
  } finally {
    if (isScreen) output.write(LEAVE)
    if (readsKeys) input.setRawMode(false).off('data', keys).pause()
  }
  return 0
}

/** A gateway that is gone may come back. */
async function look(door: DoorAddress): Promise<Status | string> {
  const answer = await ask(door, '/status', LIMIT_MS)
  if ('wrong' in answer) return answer.wrong
  if (answer.status !== 200) return `${door.text} answers ${answer.status}: ${answer.text.trim()}`
  try {
    return JSON.parse(answer.text) as Status
  } catch {
    return `${door.text} answers something else than a status`
  }
}

function screen(found: Status | string, { columns, rows }: NodeJS.WriteStream): string {
  const lines = typeof found === 'string' ? [found] : render(found)
  const shown = [...lines.slice(0, rows - 2), '', 'q: quit'].slice(0, rows)
  return HOME + shown.map((line) => printable(line).slice(0, columns) + TO_END_OF_LINE).join('\r\n') + TO_END_OF_SCREEN
}

/** Names are what somebody has written into a file: none of them moves the cursor. */
function printable(line: string): string {
  return line.replace(/\p{Cc}/gu, '?')
}

function time(): string {
  return new Date().toISOString()
}

/** An `abort` listener that stayed would be one more each second. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch(() => {})
}
