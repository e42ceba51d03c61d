import { Buffer } from 'node:buffer'

/** Replaces what is different by intent: where the client was sent to, and its key. */
export type Redact = (text: string) => string

/** What is about one connection: the field that is never relayed, and the ports and byte counts in undici's errors. */
const OF_THE_CONNECTION = ['connection', 'socket']
const OPAQUE = [AbortSignal, AbortController, ReadableStream]

/** A value as plain data: classes by name, errors with all they carry, header fields in order. */
export function described(value: unknown, redact: Redact): unknown {
  const above = new Set<object>()

  function describe(item: unknown): unknown {
    if (typeof item === 'string') return redact(item)
    if (typeof item === 'function') return 'a function'
    if (typeof item !== 'object' || item === null) return item
    if (above.has(item)) return 'as above'
    above.add(item)
    const result = describeObject(item)
    above.delete(item)
    return result
  }

  function describeObject(item: object): unknown {
    if (Array.isArray(item)) return item.map(describe)
    const name = item.constructor?.name ?? 'null'
    if (item instanceof Headers) return { name, fields: [...item].filter(isEndToEnd).map(describe) }
    if (item instanceof Response) return { name, ...describeResponse(item) }
    if (item instanceof Request)
      return { name, method: item.method, url: redact(item.url), fields: describe(item.headers) }
    if (item instanceof URL) return redact(item.href)
    if (item instanceof Date) return item.toISOString()
    if (ArrayBuffer.isView(item)) return Buffer.from(item.buffer, item.byteOffset, item.byteLength).toString('latin1')
    if (item instanceof Map || item instanceof Set) return { name, items: [...item].map(describe) }
    if (OPAQUE.some((kind) => item instanceof kind)) return name
    return { name, ...properties(item) }
  }

  function describeResponse(item: Response): object {
    return { status: item.status, reason: item.statusText, url: redact(item.url), fields: describe(item.headers) }
  }

  /** Of an error also those that `for in` does not show, but for the stack, which has lines of the test. */
  function properties(item: object): object {
    const names = Object.getOwnPropertyNames(item).filter((key) => key !== 'stack' && !OF_THE_CONNECTION.includes(key))
    return Object.fromEntries(names.map((key) => [key, describe((item as Record<string, unknown>)[key])]))
  }

  return describe(value)
}

function isEndToEnd([name]: [string, string]): boolean {
  return !OF_THE_CONNECTION.includes(name)
}
