import assert from 'node:assert/strict'
import { get } from '../support/bytes.ts'
import type { LoggedRecord, RunningGateway } from '../support/gateway.ts'
import { exchange } from '../support/raw-client.ts'

const AFTERWARDS = '/is-anybody/there'

/** `502 upstream_abort connect_refused`; a dash where the client got no status, or nothing went wrong. */
export const summary = ({ status, outcome, error }: Partial<LoggedRecord>): string =>
  `${status ?? '-'} ${outcome} ${error ?? '-'}`

/**
 * What every fault must leave behind: a gateway that lives and answers, and for each exchange before that one record, with
 * what its client got, how it ended and why.
 */
export async function assertAftermath(gateway: RunningGateway, ...expected: readonly string[]): Promise<void> {
  await gateway.until(() => gateway.records().length >= expected.length, `${expected.length} records`)
  const response = await exchange(gateway.port, get(AFTERWARDS))
  assert.equal(response.status, 404, 'it lives and answers')
  await gateway.waitForRecord((record) => record.request_url === AFTERWARDS)
  const records = gateway.records().filter((record) => record.request_url !== AFTERWARDS)
  assert.deepEqual(records.map(summary).sort(), [...expected].sort())
}
