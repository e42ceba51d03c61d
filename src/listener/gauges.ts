/**
 * What a thread that serves tells the one that accepts, in memory that both see: numbers that it alone stores, each in one plain
 * store, so that they cost it next to nothing.
 */
export const GAUGES = {
  /** Places that it has given back, since its start. */
  released: 0,
  /** Connections that would give way to another one: idle, or answered to their end. */
  yielding: 1,
  /** Connections that a stop would wait for. */
  busy: 2,
  /** Connections past the limit. */
  overLimit: 3,
  /** Goes up once a second while its loop turns. */
  beats: 4,
} as const

export const GAUGES_BYTES: number = Object.keys(GAUGES).length * Int32Array.BYTES_PER_ELEMENT
