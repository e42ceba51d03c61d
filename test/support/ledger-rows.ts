import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'
import type { KeyRing, LedgerSettings } from '../../src/config/snapshot.ts'
import { Packer, unpack } from '../../src/ledger/packing.ts'
import type { LedgerQueue } from '../../src/ledger/queue.ts'
import type { Row } from '../../src/ledger/row.ts'
import type { LedgerSource } from '../../src/ledger/thread.ts'
import type { Fields, Log } from '../../src/observe/log.ts'
import type { RecordUsage, RequestRecord } from '../../src/observe/record.ts'
import { DEADLINE_MS } from './deadline.ts'

export const NO_KEYS: KeyRing = {
  staticKeys: { size: 0, get: () => undefined, has: () => false },
  jwtKeys: new Map(),
}

const RECORD: RequestRecord = {
  level: 'trace',
  clientIp: '192.0.2.1',
  peerIp: undefined,
  method: 'POST',
  requestUrl: '/openai/v1/chat/completions?key=hidden',
  requestBodyLength: '100',
  apiKey: 'team-a',
  subject: undefined,
  clientCertificate: undefined,
  targetUrl: 'https://api.openai.com/v1/chat/completions',
  upstream: 'openai',
  durationMs: 12.5,
  status: 200,
  responseBodyLength: undefined,
  requestBytes: 100,
  responseBytes: 2000,
  ttfbMs: 3,
  outcome: 'complete',
  error: undefined,
  upstreamAddress: '192.0.2.9:443',
  requestId: 'req_1',
  cause: undefined,
}

const USAGE: RecordUsage = {
  model: 'gpt-4o-mini',
  requestModel: undefined,
  inputTokens: 1000,
  cachedTokens: 200,
  cacheWriteTokens: undefined,
  outputTokens: 500,
  reasoningTokens: undefined,
  costUsd: '0.000435',
  units: undefined,
  usage: 'exact',
  ttftMs: 40,
}

export const sampleRecord = (changed: Partial<RequestRecord> = {}): RequestRecord => ({ ...RECORD, ...changed })
export const sampleUsage = (changed: Partial<RecordUsage> = {}): RecordUsage => ({ ...USAGE, ...changed })

export function sampleRow(
  record: Partial<RequestRecord> = {},
  usage: Partial<RecordUsage> = {},
  timeMs: number = Date.now(),
): Row {
  const packer = new Packer(1)
  packer.add(sampleRecord({ ...record, usage: sampleUsage(usage) }), NO_KEYS, timeMs)
  return unpack(packer.take(), '', 0)[0]!
}

export function offerSample(queue: LedgerQueue): void {
  queue.offer(sampleRecord({ usage: USAGE }), NO_KEYS, Date.now())
}

export interface TemporaryFolder extends Disposable {
  readonly path: string
}

export function temporaryFolder(): TemporaryFolder {
  const path = mkdtempSync(join(tmpdir(), 'fluxgate-ledger-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

export function sqliteSettings(folder: string, others: Partial<LedgerSettings> = {}): LedgerSettings {
  const file = join(folder, 'ledger.db')
  return {
    store: 'sqlite',
    url: file,
    place: `sqlite:${file}`,
    queueRows: 100_000,
    spillPath: `${file}-spill`,
    spillMaxBytes: 1e9,
    retentionDays: 90,
    ...others,
  }
}

export function sourceOf(ledger: LedgerSettings | undefined): LedgerSource {
  return { ledger, priceTable: undefined }
}

export interface HeardLog extends Log {
  readonly heard: { readonly message: string; readonly fields: Fields }[]
}

export function hearLog(): HeardLog {
  const heard: HeardLog['heard'] = []
  const write = (message: string, fields: Fields = {}): void => void heard.push({ message, fields })
  return { trace: write, debug: write, info: write, warn: write, error: write, isEnabled: () => true, heard }
}

export function readAll(file: string, sql: string): Record<string, unknown>[] {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    return db
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }))
  } finally {
    db.close()
  }
}

/** Numbers in shared memory tell nobody when they change. */
export async function until(look: () => boolean): Promise<void> {
  const end = performance.now() + DEADLINE_MS
  while (!look()) {
    assert.ok(performance.now() < end, `waited ${DEADLINE_MS} ms`)
    await wait(5)
  }
}

/** No row is there twice, and none is missing between the first and the last of its instance. */
export function assertWhole(file: string): number {
  const rows = readAll(
    file,
    'SELECT instance, COUNT(*) AS n, MIN(sequence) AS first, MAX(sequence) AS last FROM fluxgate_records GROUP BY instance',
  )
  for (const { n, first, last } of rows) assert.equal(Number(last) - Number(first) + 1, n)
  return rows.reduce((sum, { n }) => sum + Number(n), 0)
}
