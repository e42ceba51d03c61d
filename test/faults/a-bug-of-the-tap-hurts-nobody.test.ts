import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startGateway } from '../support/gateway.ts'
import { connect } from '../support/raw-client.ts'
import { requestFor, UsageOrigin } from '../support/usage-origin.ts'
import { usageCases } from '../support/usage-vectors.ts'

const HOOK = fileURLToPath(new URL('../support/tap-hook.ts', import.meta.url))

/** Files of the tap, by their names, all of whose functions throw; but for two that are called before anybody asks. */
const BROKEN = [
  'dialects/\\w+',
  'read-answer',
  'content',
  'document',
  'event-lines',
  'window',
  'inflate',
  'first-content',
  'model-search',
  'request-model',
  'path-model',
  'target-words',
  'content-words',
  'settle',
  'usage',
  '(?!estimate|remembering)[\\w/-]+',
]

/** One of each dialect, in one piece and as a stream. */
const kinds = new Map(
  usageCases
    .filter(({ kind, method, expect }) => kind !== 'ws' && method === 'POST' && expect.usage === 'exact')
    .map((one) => [`${one.dialect} ${one.pieces === undefined}`, one]),
)

for (const broken of BROKEN) {
  test(`${broken} throws: every byte arrives, and every record is written`, async () => {
    await using origin = await UsageOrigin.start()
    await using gateway = await startGateway(origin.config, {
      env: { NODE_OPTIONS: `--import=${HOOK}`, FLUXGATE_TEST_BROKEN: broken },
    })
    const seen = new Set<string | undefined>()
    for (const one of kinds.values()) {
      for (const way of ['length', 'gzip'] as const) {
        using client = await connect(gateway.port)
        const { bytes, mark } = requestFor(one, way)
        void client.write(bytes)
        await client.response()
        const found = () => gateway.records().find(({ request_url }) => request_url.endsWith(mark))
        const record = await gateway.until(found, `the record of ${mark}`)
        const sent = Buffer.concat(origin.sent).length
        assert.deepEqual([record.status, record.outcome, record.response_bytes], [one.status, 'complete', sent], mark)
        seen.add(record.usage)
      }
    }
    assert.ok(seen.has('unknown') || seen.has('none') || broken === 'first-content', `${[...seen]}`)
  })
}
