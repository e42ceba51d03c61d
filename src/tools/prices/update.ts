/** A newer table of prices, from where it is published to a file. For an operator: the gateway itself calls nobody. */
import { createHash } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { judgePriceTable, MAX_TABLE_BYTES, type PriceTableText } from '../../config/schema/price-table.ts'
import { comparePrices, countModels, type PriceChanges } from './changes.ts'
import { convertPrices, formatPriceTable, type GivenProvider } from './convert.ts'

export const PUBLISHED = 'https://raw.githubusercontent.com/pydantic/genai-prices/main/prices/new_data/v2/data.json'

/** The published data have more than the prices: ten times as much. */
const MAX_SOURCE_BYTES = 64 * 1024 * 1024
const FETCH_MS = 60_000

export interface PricesUpdate extends PriceChanges {
  readonly table: PriceTableText
  /** Nothing was written where nothing has changed. */
  readonly isWritten: boolean
}

/**
 * Throws, with a message for a person, and leaves the file as it was unless all of the new table is right.
 *
 * @param from a URL, or a file
 * @param own the table that is in force where there is no file yet
 */
export async function updatePrices(path: string, from: string, own: PriceTableText): Promise<PricesUpdate> {
  const before = readPresent(path)
  const bytes = await readSource(from)
  const table = tableOf(bytes, from)
  const known = before ?? own
  if (countModels(table) < countModels(known) / 2) {
    throw new Error(`${from} has ${countModels(table)} models, where ${countModels(known)} were known: that is not all`)
  }
  const changes = comparePrices(known, table)
  const isWritten = before === undefined || !hasSameContent(before, table)
  if (isWritten) writeWhole(path, formatPriceTable(table))
  return { ...changes, table, isWritten }
}

/** Undefined: there is none. What is something else is not overwritten. */
function readPresent(path: string): PriceTableText | undefined {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return undefined
  const table = stat.isFile() && stat.size <= MAX_TABLE_BYTES ? judgePriceTable(readFileSync(path, 'utf8')) : 'is none'
  if (typeof table === 'string') throw new Error(`${path} is there and no price table; name another file, or remove it`)
  return table
}

function hasSameContent(one: PriceTableText, other: PriceTableText): boolean {
  return JSON.stringify(one.providers) === JSON.stringify(other.providers)
}

async function readSource(from: string): Promise<Buffer> {
  if (!/^https?:\/\//.test(from)) {
    const { size } = statSync(from)
    if (size > MAX_SOURCE_BYTES) throw tooLarge(from)
    return readFileSync(from)
  }
  const answer = await fetch(from, { signal: AbortSignal.timeout(FETCH_MS) })
  if (!answer.ok) throw new Error(`${from} answers ${answer.status}`)
  const chunks: Uint8Array[] = []
  let length = 0
  // Whatever is announced: what arrives counts, inflated.
  for await (const chunk of answer.body ?? []) {
    length += chunk.length
    if (length > MAX_SOURCE_BYTES) throw tooLarge(from)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function tooLarge(from: string): Error {
  return new Error(`${from} has more than ${MAX_SOURCE_BYTES / 1024 / 1024} MiB`)
}

/** Published data, or a table that is one already: where one machine may go out, and others take what it has written. */
function tableOf(bytes: Buffer, from: string): PriceTableText {
  const text = bytes.toString('utf8')
  let data: unknown
  try {
    data = JSON.parse(text)
  } catch {
    throw new Error(`${from} is no JSON, or not all of it`)
  }
  const made = Array.isArray(data) ? formatPriceTable(converted(data as GivenProvider[], bytes, from)) : text
  if (Buffer.byteLength(made) > MAX_TABLE_BYTES) throw new Error(`${from}: the table would be too large`)
  const table = judgePriceTable(made)
  if (typeof table === 'string') throw new Error(`${from} ${table}`)
  return table
}

function converted(data: readonly GivenProvider[], bytes: Buffer, from: string): PriceTableText {
  const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 8)
  try {
    return convertPrices(data, `genai-prices ${new Date().toISOString().slice(0, 10)} ${digest}`)
  } catch {
    throw new Error(`${from} has another shape than the data of genai-prices`)
  }
}

/** All of it or nothing, whoever reads it meanwhile and whatever happens to this process. */
function writeWhole(path: string, text: string): void {
  const there = statSync(path, { throwIfNoEntry: false })
  // The file that a link points at is replaced, not the link.
  const target = there === undefined ? path : realpathSync(path)
  const made = `${target}.${process.pid}.tmp`
  try {
    const fd = openSync(made, 'wx', there === undefined ? 0o644 : there.mode & 0o777)
    try {
      writeFileSync(fd, text)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(made, target)
  } catch (error) {
    rmSync(made, { force: true })
    throw error
  }
}
