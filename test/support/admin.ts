import type { RunningGateway } from './gateway.ts'
import { connect, connectUnix, type RawClient } from './raw-client.ts'

const LISTENING = /Admin server listening on ([^\s"]+)/g

/** The port of the latest address of the operations door. */
export function adminPort(gateway: RunningGateway): number {
  const address = [...gateway.log().matchAll(LISTENING)].at(-1)?.[1]
  if (address === undefined) throw new Error(`it has no operations door:\n${gateway.log()}`)
  return Number(address.slice(address.lastIndexOf(':') + 1))
}

export interface AdminAnswer {
  readonly status: number
  readonly text: string
  value(name: string): string | undefined
}

/** One request on a connection of its own; a path of a socket in the place of a port. */
export async function askAdmin(
  place: number | string,
  path: string,
  fields: Readonly<Record<string, string>> = {},
  method = 'GET',
): Promise<AdminAnswer> {
  using client: RawClient = typeof place === 'number' ? await connect(place) : await connectUnix(place)
  const lines = Object.entries({ Host: 'gateway', ...fields }).map(([name, value]) => `${name}: ${value}\r\n`)
  void client.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`)
  const response = await client.response()
  return { status: response.status, text: response.text, value: (name) => response.value(name) }
}

/** Value of each series of `/metrics` by its name with its labels. */
export function seriesOf(text: string): Map<string, number> {
  const series = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const at = line.lastIndexOf(' ')
    series.set(line.slice(0, at), Number(line.slice(at + 1)))
  }
  return series
}

/** Of all series of a family that have these labels. */
export function sumOf(text: string, family: string, labels: Readonly<Record<string, string>> = {}): number {
  let sum = 0
  for (const [name, value] of seriesOf(text)) {
    if (name !== family && !name.startsWith(`${family}{`)) continue
    if (Object.entries(labels).every(([label, is]) => name.includes(`${label}=${JSON.stringify(is)}`))) sum += value
  }
  return sum
}
