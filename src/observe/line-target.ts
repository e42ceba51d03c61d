/** What takes lines in a program that has the gateway in its process. */
export type LineTarget = LineStream | ((line: string) => void)

/** What is needed of a `stream.Writable`. */
export interface LineStream {
  readonly writable: boolean
  write(text: string): boolean
  once(event: 'drain' | 'close', listener: () => void): unknown
  off(event: 'drain' | 'close', listener: () => void): unknown
}
