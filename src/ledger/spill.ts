/**
 * The file in which rows wait that the store does not take. A record is a line: checksum, a blank, the row as JSON. What a kill or a full
 * disk has torn is seen by its checksum and skipped. A row stays in it until it has been committed elsewhere: a process that dies meanwhile
 * leaves it, and the next one inserts it again, which changes nothing.
 */
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { type Claim, claim } from './claim.ts'
import type { Row } from './row.ts'

export interface SpillFound {
  readonly rows: number
  /** Of what was skipped. */
  readonly brokenBytes: number
}

export interface Spill {
  /** What an earlier process left. */
  readonly found: SpillFound
  /** False where there is no room below the limit. Throws where the file cannot be written; nothing of these rows is in it then. */
  append(rows: readonly Row[]): boolean
  /** The next rows, up to a number of them; empty: none is left. The same again until `taken`. */
  next(most: number): readonly Row[]
  /** The rows of the last `next` are elsewhere. */
  taken(): void
  readonly isEmpty: boolean
  close(): void
}

const READ_BYTES = 256 * 1024
const NEWLINE = 0x0a

/** Undefined: another living process has it. Throws where the file cannot be used. */
export function openSpill(path: string, maxBytes: number): Spill | undefined {
  mkdirSync(dirname(path), { recursive: true })
  const mine = claim(`${path}.lock`)
  if (mine === undefined) return undefined
  try {
    return new SpillFile(path, maxBytes, mine)
  } catch (error) {
    mine.release()
    throw error
  }
}

class SpillFile implements Spill {
  readonly found: SpillFound
  readonly #path: string
  readonly #maxBytes: number
  readonly #claim: Claim
  readonly #fd: number
  /** Behind the last whole record. */
  #end: number
  /** Before the first row that has not been taken. */
  #start = 0
  #read = 0

  constructor(path: string, maxBytes: number, mine: Claim) {
    this.#path = path
    this.#maxBytes = maxBytes
    this.#claim = mine
    // Whose requests are in it is nobody else's business.
    this.#fd = openSync(path, 'a+', 0o600)
    this.#end = fstatSync(this.#fd).size
    const scan = this.#scan()
    this.found = { rows: scan.rows, brokenBytes: scan.brokenBytes }
    if (scan.end < this.#end) {
      ftruncateSync(this.#fd, scan.end)
      this.#end = scan.end
    }
  }

  get isEmpty(): boolean {
    return this.#start >= this.#end
  }

  append(rows: readonly Row[]): boolean {
    const bytes = Buffer.from(rows.map(lineOf).join(''))
    if (this.#end + bytes.length > this.#maxBytes) return false
    try {
      let written = 0
      while (written < bytes.length) written += writeSync(this.#fd, bytes, written)
    } catch (error) {
      // Half of them would come twice into the counts.
      ftruncateSync(this.#fd, this.#end)
      throw error
    }
    this.#end += bytes.length
    return true
  }

  next(most: number): readonly Row[] {
    const rows: Row[] = []
    this.#read = this.#start
    for (const { line, end } of this.#lines(this.#start)) {
      this.#read = end
      const row = rowOfLine(line)
      if (row !== undefined && rows.push(row) >= most) return rows
    }
    if (rows.length === 0) this.taken()
    return rows
  }

  taken(): void {
    this.#start = this.#read
    if (!this.isEmpty || this.#end === 0) return
    ftruncateSync(this.#fd, 0)
    this.#start = 0
    this.#end = 0
    this.#read = 0
  }

  close(): void {
    const isGone = this.isEmpty && isSameFile(this.#fd, this.#path)
    closeSync(this.#fd)
    if (isGone) unlinkSync(this.#path)
    this.#claim.release()
  }

  /** Behind the last line end only a torn record can stand. */
  #scan(): { rows: number; brokenBytes: number; end: number } {
    const size = this.#end
    let rows = 0
    let brokenBytes = 0
    let end = 0
    for (const { line, end: lineEnd } of this.#lines(0)) {
      if (rowOfLine(line) === undefined) brokenBytes += line.length + 1
      else rows++
      end = lineEnd
    }
    return { rows, brokenBytes: brokenBytes + size - end, end }
  }

  *#lines(from: number): Generator<{ line: Buffer; end: number }> {
    let rest: Buffer = Buffer.alloc(0)
    let at = from
    while (at < this.#end) {
      const chunk = Buffer.allocUnsafe(Math.min(READ_BYTES, this.#end - at))
      const length = readSync(this.#fd, chunk, 0, chunk.length, at)
      if (length === 0) return
      const begins = at - rest.length
      at += length
      const text = rest.length === 0 ? chunk.subarray(0, length) : Buffer.concat([rest, chunk.subarray(0, length)])
      let start = 0
      for (let newline = text.indexOf(NEWLINE); newline >= 0; newline = text.indexOf(NEWLINE, start)) {
        yield { line: text.subarray(start, newline), end: begins + newline + 1 }
        start = newline + 1
      }
      rest = text.subarray(start)
    }
  }
}

function isSameFile(fd: number, path: string): boolean {
  try {
    const there = statSync(path)
    return there.ino === fstatSync(fd).ino
  } catch {
    return false
  }
}

function lineOf(row: Row): string {
  // No value of a row has a line break that JSON would not escape. Undefined becomes null.
  const json = JSON.stringify(row)
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`
}

function rowOfLine(line: Buffer): Row | undefined {
  const json = line.toString('utf8', 9)
  if (line[8] !== 0x20 || crc32(json).toString(16).padStart(8, '0') !== line.toString('latin1', 0, 8)) return undefined
  try {
    const values = JSON.parse(json) as (string | number | null)[]
    return Array.isArray(values) ? values.map((value) => value ?? undefined) : undefined
  } catch {
    return undefined
  }
}
