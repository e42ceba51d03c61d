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
import { AT, type Row } from './row.ts'

export interface SpillFound {
  readonly rows: number
  /** Of what was skipped. */
  readonly brokenBytes: number
}

/** What others have done to the file since the last look. */
export interface SpillTouched {
  /** Rows that are in it and were not before. */
  readonly found: number
  /** Rows that were in it and are no more. */
  readonly lost: number
  /** It had been removed or replaced; what it held is in a new one. */
  readonly isNew: boolean
}

export interface Spill {
  /** What an earlier process left. */
  readonly found: SpillFound
  /** To be called before `append` and `next`: an operator, a cleaner of disks or another gateway may touch the file. */
  look(): SpillTouched | undefined
  /** False where there is no room below the limit. Throws where the file cannot be written; nothing of these rows is in it then. */
  append(rows: readonly Row[]): boolean
  /** The next rows, up to a number of them; empty: none is left. The same again until `taken`. */
  next(most: number): readonly Row[]
  /** The rows of the last `next` are elsewhere. Returns how many there should have been behind them, but cannot be read. */
  taken(): number
  readonly isEmpty: boolean
  close(): void
}

const READ_BYTES = 256 * 1024
const NEWLINE = 0x0a
const ROW_LENGTH = Object.keys(AT).length

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
  #fd: number
  /** Behind the last whole record. */
  #end = 0
  /** Before the first row that has not been taken. */
  #start = 0
  /** How many rows stand between the two. */
  #rows = 0
  #read = { at: 0, rows: 0 }

  constructor(path: string, maxBytes: number, mine: Claim) {
    this.#path = path
    this.#maxBytes = maxBytes
    this.#claim = mine
    this.#fd = openForAppending(path)
    try {
      const brokenBytes = this.#scan()
      this.found = { rows: this.#rows, brokenBytes }
    } catch (error) {
      // It is tried again each second.
      closeSync(this.#fd)
      throw error
    }
  }

  get isEmpty(): boolean {
    return this.#start >= this.#end
  }

  look(): SpillTouched | undefined {
    const isNew = !isSameFile(this.#fd, this.#path)
    const before = this.#rows
    if (isNew) this.#moveToNewFile()
    else if (fstatSync(this.#fd).size !== this.#end) this.#scan()
    else return undefined
    return { found: Math.max(0, this.#rows - before), lost: Math.max(0, before - this.#rows), isNew }
  }

  append(rows: readonly Row[]): boolean {
    const bytes = Buffer.from(rows.map(lineOf).join(''))
    if (this.#end + bytes.length > this.#maxBytes) return false
    try {
      writeWhole(this.#fd, bytes)
    } catch (error) {
      // Half of them would come twice into the counts.
      ftruncateSync(this.#fd, this.#end)
      throw error
    }
    this.#end += bytes.length
    this.#rows += rows.length
    return true
  }

  next(most: number): readonly Row[] {
    const rows: Row[] = []
    for (const { line, end } of this.#lines(this.#start)) {
      const row = rowOfLine(line)
      if (row === undefined) continue
      rows.push(row)
      this.#read = { at: end, rows: rows.length }
      if (rows.length >= most) return rows
    }
    // What is left behind the last of them is no record, whoever wrote it.
    this.#read = { at: this.#end, rows: rows.length }
    return rows
  }

  taken(): number {
    this.#start = this.#read.at
    this.#rows -= this.#read.rows
    this.#read = { at: this.#start, rows: 0 }
    if (!this.isEmpty) return 0
    const lost = Math.max(0, this.#rows)
    this.#rows = 0
    // What another has written behind is found with the next look.
    if (this.#end === 0 || fstatSync(this.#fd).size !== this.#end) return lost
    this.#start = 0
    this.#end = 0
    ftruncateSync(this.#fd, 0)
    return lost
  }

  close(): void {
    try {
      const isHere = isSameFile(this.#fd, this.#path)
      if (!this.isEmpty && !isHere) this.#moveToNewFile()
      if (this.isEmpty && isHere && fstatSync(this.#fd).size === this.#end) unlinkSync(this.#path)
    } finally {
      closeSync(this.#fd)
      this.#claim.release()
    }
  }

  /** Until the new one has everything, the old one stays in use: a file without a name can still be read. */
  #moveToNewFile(): void {
    const fd = openForAppending(this.#path)
    const { size } = fstatSync(fd)
    try {
      const chunk = Buffer.allocUnsafe(READ_BYTES)
      for (let at = this.#start; at < this.#end; ) {
        const length = readSync(this.#fd, chunk, 0, Math.min(chunk.length, this.#end - at), at)
        if (length === 0) break
        writeWhole(fd, chunk.subarray(0, length))
        at += length
      }
    } catch (error) {
      ftruncateSync(fd, size)
      closeSync(fd)
      throw error
    }
    closeSync(this.#fd)
    this.#fd = fd
    this.#start = 0
    this.#scan()
  }

  /** Counts what stands there. Behind the last line end only a torn record can stand, which is cut off. Returns how many bytes are broken. */
  #scan(): number {
    const size = fstatSync(this.#fd).size
    this.#end = size
    this.#start = Math.min(this.#start, size)
    this.#rows = 0
    let brokenBytes = 0
    let end = this.#start
    for (const { line, end: lineEnd } of this.#lines(this.#start)) {
      if (!isWhole(line)) brokenBytes += line.length + 1
      else this.#rows++
      end = lineEnd
    }
    this.#end = end
    if (end < size) ftruncateSync(this.#fd, end)
    return brokenBytes + size - end
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

/** Whose requests are in it is nobody else's business. */
function openForAppending(path: string): number {
  return openSync(path, 'a+', 0o600)
}

function writeWhole(fd: number, bytes: Buffer): void {
  let written = 0
  while (written < bytes.length) written += writeSync(fd, bytes, written)
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

/** By its checksum alone, which is a fraction of the time where records are only counted. */
function isWhole(line: Buffer): boolean {
  return line[8] === 0x20 && crc32(line.subarray(9)) === Number.parseInt(line.toString('latin1', 0, 8), 16)
}

function rowOfLine(line: Buffer): Row | undefined {
  if (!isWhole(line)) return undefined
  try {
    const values = JSON.parse(line.toString('utf8', 9)) as (string | number | null)[]
    // Of a version that has other columns, whose values would go into the wrong ones.
    if (!Array.isArray(values) || values.length !== ROW_LENGTH) return undefined
    return values.map((value) => value ?? undefined)
  } catch {
    return undefined
  }
}
