import { isIPv4, isIPv6 } from 'node:net'
import type { BindAddress } from '../snapshot.ts'

/** `127.0.0.1:8080` or `[::1]:8080`. Names are not looked up: which address would be bound must be plain from the file. */
export function parseBindAddress(text: string): BindAddress | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  if (match === null) return undefined
  const [, v6, v4, digits] = match
  const port = Number(digits)
  if (port > 65_535) return undefined
  if (v6 !== undefined && isIPv6(v6)) return { host: v6, port, text }
  if (v4 !== undefined && isIPv4(v4)) return { host: v4, port, text }
  return undefined
}
