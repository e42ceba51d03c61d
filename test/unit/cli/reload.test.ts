import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createReloader, type Reloader } from '../../../src/cli/reload.ts'
import { DEFAULT_SETTINGS } from '../../../src/config/settings.ts'
import type { Snapshot } from '../../../src/config/snapshot.ts'
import { type Changes, NO_CHANGES } from '../../../src/config/watch/changes.ts'
import type { WatchEvent } from '../../../src/config/watch/state.ts'
import type { Gateway } from '../../../src/gateway.ts'
import { createLog } from '../../../src/observe/log.ts'

type Published = Awaited<ReturnType<Gateway['publish']>>

interface Bench {
  readonly reloader: Reloader
  /** What was logged, without timestamps. */
  readonly lines: string[]
  /** Generations in the order of their publication. */
  readonly generations: number[]
}

function bench(publish: (snapshot: Snapshot) => Promise<Published>): Bench {
  const lines: string[] = []
  const generations: number[] = []
  const log = createLog({ level: 'trace', format: 'text', colour: false }, (line) => lines.push(line.slice(28, -1)))
  const gateway = {
    publish(snapshot: Snapshot) {
      generations.push(snapshot.generation)
      return publish(snapshot)
    },
  }
  const reloader = createReloader({
    gateway,
    log,
    path: 'f.yaml',
    address: '127.0.0.1:80',
    generation: 1,
    maxConnections: 1024,
    workers: 1,
  })
  return { reloader, lines, generations }
}

function changed(
  bindAddress = '127.0.0.1:80',
  warnings: readonly string[] = [],
  changes: Changes = NO_CHANGES,
): WatchEvent {
  const server = { ...DEFAULT_SETTINGS.server, bindAddress: { host: '', port: 0, text: bindAddress } }
  return { type: 'changed', settings: { ...DEFAULT_SETTINGS, server }, warnings, changes, isAskedFor: false }
}

/** All that follows from resolved promises alone. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

const RELOADED = 'INFO Configuration file changed, reloaded automatically path=f.yaml status=applied'

describe('a changed configuration', () => {
  test('is published and then reported', async () => {
    const publication = Promise.withResolvers<Published>()
    const { reloader, lines, generations } = bench(() => publication.promise)
    reloader.onEvent(changed())
    await settled()
    assert.deepEqual([generations, lines], [[2], []])
    publication.resolve({ rebound: 'no' })
    await settled()
    assert.deepEqual(lines, [RELOADED])
  })

  test('waits for the one before it', async () => {
    const publications = [Promise.withResolvers<Published>(), Promise.withResolvers<Published>()]
    const { reloader, generations } = bench((snapshot) => publications[snapshot.generation - 2]!.promise)
    reloader.onEvent(changed())
    reloader.onEvent(changed())
    await settled()
    assert.deepEqual(generations, [2])
    publications[0]!.resolve({ rebound: 'no' })
    await settled()
    assert.deepEqual(generations, [2, 3])
  })

  test('that moves the listener says from where to where', async () => {
    const addresses = ['127.0.0.1:81', '127.0.0.1:4711']
    const { reloader, lines } = bench(async () => ({ rebound: 'yes', address: addresses.shift()! }))
    reloader.onEvent(changed('127.0.0.1:81'))
    reloader.onEvent(changed('127.0.0.1:0'))
    await settled()
    assert.deepEqual(lines, [
      RELOADED,
      'INFO Bind address changed, restarting server old_address=127.0.0.1:80 new_address=127.0.0.1:81',
      'INFO Fluxgate proxy server listening on 127.0.0.1:81',
      RELOADED,
      'INFO Bind address changed, restarting server old_address=127.0.0.1:81 new_address=127.0.0.1:4711',
      'INFO Fluxgate proxy server listening on 127.0.0.1:4711',
    ])
  })

  test('whose address cannot be had says so', async () => {
    const { reloader, lines } = bench(async () => ({ rebound: 'failed', error: 'in use' }))
    reloader.onEvent(changed('127.0.0.1:82'))
    await settled()
    assert.deepEqual(lines, [RELOADED, 'WARN Failed to bind to address address=127.0.0.1:82 error="in use"'])
  })

  test('says what is different, in names', async () => {
    const { reloader, lines } = bench(async () => ({ rebound: 'no' }))
    const changes = { ...NO_CHANGES, keysAdded: 'a, b', keysChanged: 'c', upstreamsRemoved: 'd', filesChanged: '/k/e' }
    reloader.onEvent(changed(undefined, [], changes))
    await settled()
    assert.deepEqual(lines, [`${RELOADED} keys_added="a, b" keys_changed=c upstreams_removed=d files_changed=/k/e`])
  })

  test('that takes everything away is a warning', async () => {
    const { reloader, lines } = bench(async () => ({ rebound: 'no' }))
    const changes = { ...NO_CHANGES, losesKeys: true, losesUpstreams: true, keysRemoved: 'a', upstreamsRemoved: 'd' }
    reloader.onEvent(changed(undefined, [], changes))
    await settled()
    const problem =
      'problem="no key is left: every request is answered with 401; no upstream is left: no request goes anywhere"'
    assert.deepEqual(lines, [`${RELOADED.replace('INFO', 'WARN')} ${problem} keys_removed=a upstreams_removed=d`])
  })

  test('brings its warnings along', async () => {
    const { reloader, lines } = bench(async () => ({ rebound: 'no' }))
    reloader.onEvent(changed(undefined, ['f.yaml:3:1: serve: unknown, did you mean server?']))
    await settled()
    const warning = 'WARN Configuration warning problem="f.yaml:3:1: serve: unknown, did you mean server?"'
    assert.deepEqual(lines, [warning, RELOADED])
  })

  test('that trips over a bug is logged and does not stop the next one', async () => {
    const { reloader, lines } = bench(async ({ generation }) => {
      if (generation === 2) throw new Error('a bug')
      return { rebound: 'no' }
    })
    reloader.onEvent(changed())
    reloader.onEvent(changed())
    await settled()
    assert.match(
      lines[0]!,
      /^ERROR Publishing the configuration failed path=f.yaml error="a bug" stack="Error: a bug\\n/,
    )
    assert.deepEqual(lines.slice(1), [RELOADED])
  })

  test('comes too late after the stop, which waits for the one before', async () => {
    const publication = Promise.withResolvers<Published>()
    const { reloader, generations } = bench(() => publication.promise)
    reloader.onEvent(changed())
    await settled()
    let isClosed = false
    const closed = reloader.close().then(() => {
      isClosed = true
    })
    reloader.onEvent(changed())
    await settled()
    assert.equal(isClosed, false)
    publication.resolve({ rebound: 'no' })
    await closed
    await settled()
    assert.deepEqual(generations, [2])
  })
})

for (const [event, line] of [
  [
    { type: 'invalid', error: 'f.yaml:1:1: no' },
    'WARN Configuration file changed but validation failed; keeping previous settings path=f.yaml error="f.yaml:1:1: no"',
  ],
  [
    { type: 'missing' },
    'WARN Configuration file not found during polling; continuing with last valid configuration path=f.yaml',
  ],
  [
    { type: 'denied' },
    'WARN Configuration file access denied during polling; continuing with last valid configuration path=f.yaml',
  ],
] as const) {
  test(`a file that is ${event.type} changes nothing and is told`, async () => {
    const { reloader, lines, generations } = bench(async () => ({ rebound: 'no' }))
    reloader.onEvent(event)
    await settled()
    assert.deepEqual([lines, generations], [[line], []])
  })
}
