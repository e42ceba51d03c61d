/** Real files, and a clock that only moves when it is told to: no test here waits. */
import assert from 'node:assert/strict'
import fs, { chmodSync, mkdirSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { loadSettings } from '../../../../src/config/load.ts'
import { REAL_CLOCK } from '../../../../src/config/watch/clock.ts'
import { stateAfterStart, type WatchEvent, type WatchState } from '../../../../src/config/watch/state.ts'
import { type Watcher, watchConfiguration } from '../../../../src/config/watch/watch.ts'
import { withoutPrivileges } from '../compile/without-privileges.ts'
import { type ConfigurationFolder, createFolder, makeFifo } from '../configuration-folder.ts'
import { HandClock } from './hand-clock.ts'

interface Watched extends ConfigurationFolder {
  readonly clock: HandClock
  readonly watcher: Watcher
  /** Another watcher, which goes on from there. */
  from(state: WatchState): Watcher
  /** What happened since the last call, in words: `changed 5` is a change to max_connections 5. */
  events(): string[]
}

function configuration(maxConnections: number | string, rest = ''): string {
  return `version: 1\nserver:\n  max_connections: ${maxConnections}\n${rest}`
}

function watch(t: TestContext, prepare: (folder: ConfigurationFolder) => void, env: NodeJS.ProcessEnv = {}): Watched {
  const folder = createFolder(t)
  prepare(folder)
  const clock = new HandClock()
  let seen: string[] = []
  const load = () => loadSettings(folder.file, env)
  const onEvent = (event: WatchEvent) => void seen.push(inWords(event))
  const from = (initial: WatchState) => watchConfiguration({ initial, load, onEvent, clock })
  const watcher = from(stateAfterStart(load()))
  t.after(() => watcher.close())
  const events = () => {
    const since = seen
    seen = []
    return since
  }
  return { ...folder, clock, watcher, events, from }
}

function inWords(event: WatchEvent): string {
  if (event.type === 'changed') return `changed ${event.settings.server.maxConnections}`
  return event.type === 'invalid' ? `invalid ${event.error.replace(/^\S*fluxgate\.yaml: ?/, '')}` : event.type
}

const valid = (folder: ConfigurationFolder) => void folder.write('fluxgate.yaml', configuration(1))
const INVALID_0 = 'invalid 3:3: server.max_connections: must be an integer from 1'
const TEN_MINUTES = 600_000

/** A change must be live in less than a second; no case needs more than this. */
const SOON = 850

const CHANGES: Readonly<Record<string, (folder: Watched) => void>> = {
  'written in place': ({ write }) => void write('fluxgate.yaml', configuration(2)),
  'renamed over': ({ write, file }) => renameSync(write('new.yaml', configuration(2)), file),
  'deleted and made again': ({ write, file }) => {
    rmSync(file)
    write('fluxgate.yaml', configuration(2))
  },
  'replaced by a link': ({ write, path, file }) => {
    write('other.yaml', configuration(2))
    symlinkSync('other.yaml', join(path, 'link'))
    renameSync(join(path, 'link'), file)
  },
  'edited at the same size, with its old times': ({ write, file }) => {
    const { atime, mtime } = statSync(file)
    write('fluxgate.yaml', configuration(2))
    utimesSync(file, atime, mtime)
  },
  'replaced by a file of the same size and times': ({ write, file }) => {
    const { atime, mtime } = statSync(file)
    const other = write('new.yaml', configuration(2))
    utimesSync(other, atime, mtime)
    renameSync(other, file)
  },
}

for (const [title, change] of Object.entries(CHANGES)) {
  test(`${title}: live soon, once`, (t) => {
    const watched = watch(t, valid)
    watched.clock.advance(5000)
    change(watched)
    watched.clock.advance(SOON)
    assert.deepEqual(watched.events(), ['changed 2'])
    watched.clock.advance(TEN_MINUTES * 2)
    assert.deepEqual(watched.events(), [])
  })
}

test('an atomic rename, twenty times', (t) => {
  const { clock, file, write, events } = watch(t, valid)
  for (let n = 2; n < 22; n++) {
    renameSync(write('new.yaml', configuration(n)), file)
    clock.advance(SOON)
    assert.deepEqual(events(), [`changed ${n}`])
  }
})

test('a change is not live before it has settled for 150 ms', (t) => {
  const { clock, write, events } = watch(t, valid)
  write('fluxgate.yaml', configuration(2))
  clock.advance(150)
  assert.deepEqual(events(), [])
  clock.advance(175)
  assert.deepEqual(events(), ['changed 2'])
})

test('a link of links, swapped as Kubernetes does, twice', (t) => {
  const { clock, path, write, events } = watch(t, ({ path, file }) => {
    mkdirSync(join(path, '..1'))
    writeFileSync(join(path, '..1', 'fluxgate.yaml'), configuration(1))
    symlinkSync('..1', join(path, '..data'))
    symlinkSync('..data/fluxgate.yaml', file)
  })
  for (const n of [2, 3]) {
    mkdirSync(join(path, `..${n}`))
    write(`..${n}/fluxgate.yaml`, configuration(n))
    symlinkSync(`..${n}`, join(path, '..data_tmp'))
    renameSync(join(path, '..data_tmp'), join(path, '..data'))
    rmSync(join(path, `..${n - 1}`), { recursive: true })
    clock.advance(SOON)
    assert.deepEqual(events(), [`changed ${n}`])
  }
})

test('a touch is no change', (t) => {
  const { clock, file, write, events } = watch(t, valid)
  utimesSync(file, new Date(), new Date())
  clock.advance(SOON)
  renameSync(write('new.yaml', configuration(1)), file)
  clock.advance(SOON)
  assert.deepEqual(events(), [])
})

test('a half-written file is neither applied nor reported', (t) => {
  const { clock, write, events } = watch(t, valid)
  const text = configuration(2)
  for (let length = 0; length < text.length; length += 9) {
    write('fluxgate.yaml', text.slice(0, length))
    clock.advance(60)
    assert.deepEqual(events(), [])
  }
  write('fluxgate.yaml', text)
  clock.advance(SOON)
  assert.deepEqual(events(), ['changed 2'])
})

test('a half-written file that stays so is reported once, and what follows is applied', (t) => {
  const { clock, write, events } = watch(t, valid)
  write('fluxgate.yaml', configuration(0))
  clock.advance(1000)
  assert.deepEqual(events(), [INVALID_0])
  write('fluxgate.yaml', configuration(2))
  clock.advance(SOON)
  assert.deepEqual(events(), ['changed 2'])
})

test('whoever keeps writing valid content is live after 600 ms, invalid content waits', (t) => {
  const { clock, write, events } = watch(t, valid)
  const writeFor = (ms: number, text: (n: number) => string) => {
    for (let n = 0; n < ms / 50; n++) {
      write('fluxgate.yaml', text(n))
      clock.advance(50)
    }
  }
  writeFor(1500, (n) => configuration(0, `# ${n}\n`))
  assert.deepEqual(events(), [])
  writeFor(100, (n) => configuration(2, `# ${n}\n`))
  assert.equal(events()[0], 'changed 2')
})

test('an invalid file is reported once, every ten minutes, and for each new content', (t) => {
  const { clock, write, events } = watch(t, valid)
  write('fluxgate.yaml', configuration(0))
  clock.advance(SOON)
  assert.deepEqual(events(), [INVALID_0])
  clock.advance(TEN_MINUTES - SOON)
  assert.deepEqual(events(), [])
  clock.advance(SOON)
  assert.deepEqual(events(), [INVALID_0])
  clock.advance(TEN_MINUTES)
  assert.deepEqual(events(), [INVALID_0])
  write('fluxgate.yaml', configuration(-1))
  clock.advance(SOON)
  assert.deepEqual(events(), [INVALID_0])
})

test('back to the content that was loaded: that is told once, and the condition is over', (t) => {
  const { clock, write, events } = watch(t, valid)
  write('fluxgate.yaml', configuration(0))
  clock.advance(SOON)
  events()
  write('fluxgate.yaml', configuration(1))
  clock.advance(TEN_MINUTES * 2)
  assert.deepEqual(events(), ['restored'])
  write('fluxgate.yaml', configuration(0))
  clock.advance(SOON)
  assert.deepEqual(events(), [INVALID_0])
})

test('a missing file is reported within 700 ms, once, and every ten minutes', (t) => {
  const { clock, file, events } = watch(t, valid)
  rmSync(file)
  clock.advance(400)
  assert.deepEqual(events(), [])
  clock.advance(300)
  assert.deepEqual(events(), ['missing'])
  clock.advance(TEN_MINUTES - 1000)
  assert.deepEqual(events(), [])
  clock.advance(1000)
  assert.deepEqual(events(), ['missing'])
})

test('a file that was missing: unchanged it is told to be back, changed it is a change, and missing again it is again', (t) => {
  const { clock, file, write, events } = watch(t, valid)
  const goAway = () => {
    rmSync(file)
    clock.advance(700)
    assert.deepEqual(events(), ['missing'])
  }
  goAway()
  write('fluxgate.yaml', configuration(1))
  clock.advance(SOON)
  assert.deepEqual(events(), ['restored'])
  goAway()
  write('fluxgate.yaml', configuration(2))
  clock.advance(SOON)
  assert.deepEqual(events(), ['changed 2'])
  goAway()
  // There for a moment only, too short to be loaded: missing is a new condition all the same.
  write('fluxgate.yaml', configuration(3))
  clock.advance(125)
  goAway()
})

test('a file that we may no longer read', (t) => {
  const { clock, path, file, events } = watch(t, (folder) => {
    valid(folder)
    chmodSync(folder.path, 0o755)
  })
  chmodSync(file, 0o000)
  withoutPrivileges(() => clock.advance(700))
  assert.deepEqual(events(), ['denied'])
  withoutPrivileges(() => clock.advance(TEN_MINUTES))
  assert.deepEqual(events(), ['denied'])
  chmodSync(file, 0o644)
  withoutPrivileges(() => clock.advance(SOON))
  assert.deepEqual(events(), ['restored'])
  chmodSync(path, 0o000)
  withoutPrivileges(() => clock.advance(700))
  assert.deepEqual(events(), ['denied'])
})

const OBSTACLES: Readonly<Record<string, [(file: string) => void, string]>> = {
  'a directory': [(file) => mkdirSync(file), 'is a directory, not a file'],
  'a FIFO': [(file) => makeFifo(file), 'is a FIFO, not a file'],
  'a huge file': [(file) => writeFileSync(file, Buffer.alloc(10 * 1024 * 1024 + 1, 0x23)), 'is larger than 10 MiB'],
}

for (const [title, [place, text]] of Object.entries(OBSTACLES)) {
  test(`${title} in its place is reported once and does not block`, (t) => {
    const { clock, file, write, events } = watch(t, valid)
    rmSync(file)
    place(file)
    clock.advance(700)
    assert.deepEqual(events(), [`invalid ${text}`])
    clock.advance(5000)
    assert.deepEqual(events(), [])
    rmSync(file, { recursive: true })
    write('fluxgate.yaml', configuration(2))
    clock.advance(SOON)
    assert.deepEqual(events(), ['changed 2'])
  })
}

test('a failed start is not reported a second time, however long it lasts', (t) => {
  const missing = watch(t, () => {})
  missing.clock.advance(TEN_MINUTES * 3)
  assert.deepEqual(missing.events(), [])
  const invalid = watch(t, ({ write }) => void write('fluxgate.yaml', configuration(0)))
  invalid.clock.advance(TEN_MINUTES * 3)
  assert.deepEqual(invalid.events(), [])
})

test('after a failed start, what comes next is', (t) => {
  const { clock, write, events } = watch(t, () => {})
  write('fluxgate.yaml', configuration(0))
  clock.advance(SOON)
  assert.deepEqual(events(), [INVALID_0])
  write('fluxgate.yaml', configuration(2))
  clock.advance(SOON)
  assert.deepEqual(events(), ['changed 2'])
})

const WITH_SECRET = 'upstreams:\n  a: { request_path: /a, target_url: "http://a", api_key: { file: key } }\n'

test('files of secrets count', (t) => {
  const { clock, path, write, events } = watch(t, ({ write }) => {
    write('key', 'one')
    write('fluxgate.yaml', configuration(1, WITH_SECRET))
  })
  write('key', 'two')
  clock.advance(SOON)
  assert.deepEqual(events(), ['changed 1'])
  write('key', 'a\nb')
  clock.advance(SOON)
  assert.match(events().join(), /^invalid 5:50: upstreams\.a\.api_key: must not hold line breaks/)
  rmSync(join(path, 'key'))
  clock.advance(SOON)
  assert.match(events().join(), /^invalid 5:50: upstreams\.a\.api_key: takes a file that does not exist/)
  write('key', 'two')
  clock.advance(SOON)
  assert.deepEqual(events(), ['restored'], 'as it was when it was last loaded')
  write('key', 'three')
  clock.advance(SOON)
  assert.deepEqual(events(), ['changed 1'])
})

test('what changes between the look that settles and the load has not settled', (t) => {
  const { clock, write, events } = watch(t, ({ write }) => {
    write('key', 'one')
    write('fluxgate.yaml', configuration(1, WITH_SECRET))
  })
  write('fluxgate.yaml', configuration(2, WITH_SECRET))
  // Seen at 125 ms, so the look that settles is at 275 ms.
  clock.advance(270)
  let asked = 0
  clock.onNow = () => {
    // Once by the poll, once for each file: the configuration has been looked at, the key has not.
    if (++asked === 3) write('fluxgate.yaml', configuration(3, WITH_SECRET))
  }
  clock.advance(150)
  assert.deepEqual(events(), [])
  clock.advance(50)
  assert.deepEqual(events(), ['changed 3'])
})

test('a secret that is missing at first, and one that a new file names', (t) => {
  const { clock, write, events } = watch(t, ({ write }) => void write('fluxgate.yaml', configuration(1, WITH_SECRET)))
  clock.advance(SOON)
  assert.deepEqual(events(), [])
  write('key', 'one')
  clock.advance(SOON)
  assert.deepEqual(events(), ['changed 1'])
  write('fluxgate.yaml', configuration(2, WITH_SECRET.replace('file: key', 'file: other')))
  clock.advance(SOON)
  assert.match(events().join(), /^invalid /)
  write('other', 'two')
  clock.advance(SOON)
  assert.deepEqual(events(), ['changed 2'])
  write('key', 'no longer of interest')
  clock.advance(SOON)
  assert.deepEqual(events(), [])
})

test('reloadNow takes what is there at once', (t) => {
  const { file, watcher, write, events } = watch(t, valid)
  write('fluxgate.yaml', configuration(2))
  watcher.reloadNow()
  assert.deepEqual(events(), ['changed 2'])
  watcher.reloadNow()
  assert.deepEqual(events(), ['changed 2'], 'somebody asked for it')
  write('fluxgate.yaml', configuration(0))
  watcher.reloadNow()
  assert.deepEqual(events(), [INVALID_0])
  rmSync(file)
  watcher.reloadNow()
  assert.deepEqual(events(), ['missing'])
})

test('reloadNow, a hundred times, says once that the file is invalid, and once more of another content', (t) => {
  const { file, watcher, write, events } = watch(t, valid)
  const ask = () => {
    for (let n = 0; n < 100; n++) watcher.reloadNow()
    return events()
  }
  write('fluxgate.yaml', configuration(0))
  assert.deepEqual(ask(), [INVALID_0])
  write('fluxgate.yaml', configuration(-1))
  assert.deepEqual(ask(), [INVALID_0], 'the same text of another content')
  rmSync(file)
  assert.deepEqual(ask(), ['missing'])
  write('fluxgate.yaml', configuration(0))
  assert.deepEqual(ask(), [INVALID_0])
})

test('a failed start is not reported by reloadNow either', (t) => {
  const { watcher, events } = watch(t, ({ write }) => void write('fluxgate.yaml', configuration(0)))
  watcher.reloadNow()
  assert.deepEqual(events(), [])
})

test('two thousand saves in a row: the last one is live soon, and none is seen half', (t) => {
  const { clock, file, write, events } = watch(t, valid)
  for (let n = 1; n <= 2000; n++) {
    renameSync(write('new.yaml', configuration(n)), file)
    clock.advance(7)
  }
  clock.advance(SOON)
  const seen = events()
  assert.equal(seen.at(-1), 'changed 2000')
  // Somebody keeps writing for 14 s: one in 600 ms, each later than the one before.
  const numbers = seen.map((event) => Number(/^changed (\d+)$/.exec(event)?.[1]))
  assert.ok(numbers.length > 10 && numbers.length < 40, seen.join())
  assert.deepEqual(
    numbers,
    [...numbers].sort((a, b) => a - b),
  )
})

describe('a watcher that goes on where another one stood', () => {
  test('knows what is in force, and says nothing', (t) => {
    const { clock, watcher, write, events, from } = watch(t, valid)
    write('fluxgate.yaml', configuration(2))
    clock.advance(SOON)
    assert.deepEqual(events(), ['changed 2'])
    watcher.close()
    const next = from(watcher.state())
    t.after(() => next.close())
    clock.advance(TEN_MINUTES)
    assert.deepEqual(events(), [])
  })

  test('sees a change that the other one had seen and not taken', (t) => {
    const { clock, watcher, write, events, from } = watch(t, valid)
    write('fluxgate.yaml', configuration(2))
    clock.advance(150)
    watcher.close()
    const next = from(watcher.state())
    t.after(() => next.close())
    clock.advance(SOON)
    assert.deepEqual(events(), ['changed 2'])
  })

  test('repeats what the other one had reported, after ten minutes', (t) => {
    const { clock, watcher, write, events, from } = watch(t, valid)
    write('fluxgate.yaml', configuration(0))
    clock.advance(SOON)
    assert.deepEqual(events(), [INVALID_0])
    watcher.close()
    const next = from(watcher.state())
    t.after(() => next.close())
    clock.advance(TEN_MINUTES - SOON)
    assert.deepEqual(events(), [])
    clock.advance(SOON)
    assert.deepEqual(events(), [INVALID_0])
    write('fluxgate.yaml', configuration(1))
    clock.advance(SOON)
    assert.deepEqual(events(), ['restored'], 'which is still in force')
  })

  test('is as silent as the other one about a failed start', (t) => {
    const { clock, watcher, events, from } = watch(t, () => {})
    watcher.close()
    const next = from(watcher.state())
    t.after(() => next.close())
    clock.advance(TEN_MINUTES * 2)
    assert.deepEqual(events(), [])
  })
})

test('what reloadNow has taken is not taken again', (t) => {
  const { clock, watcher, write, events } = watch(t, valid)
  write('fluxgate.yaml', configuration(2))
  clock.advance(130)
  watcher.reloadNow()
  events()
  clock.advance(5000)
  assert.deepEqual(events(), [])
})

test('a closed watcher is silent and leaves no timer', (t) => {
  const { clock, watcher, write, events } = watch(t, valid)
  watcher.close()
  assert.equal(clock.pending, 0)
  write('fluxgate.yaml', configuration(2))
  clock.advance(5000)
  watcher.reloadNow()
  assert.deepEqual(events(), [])
})

test('an event may close the watcher', (t) => {
  const { file, write } = createFolder(t)
  write('fluxgate.yaml', configuration(1))
  const clock = new HandClock()
  let count = 0
  const load = () => loadSettings(file, {})
  const watcher = watchConfiguration({
    initial: stateAfterStart(load()),
    load,
    onEvent: () => {
      count++
      watcher.close()
    },
    clock,
  })
  write('fluxgate.yaml', configuration(2))
  clock.advance(5000)
  assert.deepEqual([count, clock.pending], [1, 0])
})

test('on the real clock a change is live in under a second', async (t) => {
  const { file, write } = createFolder(t)
  write('fluxgate.yaml', configuration(1))
  const { promise, resolve } = Promise.withResolvers<WatchEvent>()
  const load = () => loadSettings(file, {})
  const watcher = watchConfiguration({ initial: stateAfterStart(load()), load, onEvent: resolve, clock: REAL_CLOCK })
  t.after(() => watcher.close())
  // The watcher's own timers hold no process; this one does, and is the limit.
  const limit = setTimeout(() => resolve({ type: 'invalid', error: 'too late' }), 1000)
  write('fluxgate.yaml', configuration(2))
  assert.equal(inWords(await promise), 'changed 2')
  clearTimeout(limit)
})

describe('without a file descriptor', () => {
  /** From here on no file can be opened, until the result is called. */
  function exhaust(t: TestContext): () => void {
    const { mock } = t.mock.method(fs, 'openSync', () => {
      throw Object.assign(new Error('too many open files'), { code: 'EMFILE' })
    })
    syncBuiltinESMExports()
    const restore = () => {
      mock.restore()
      syncBuiltinESMExports()
    }
    t.after(restore)
    return restore
  }

  test('nothing is said of the file, and a change is seen when there is one again', (t) => {
    const { clock, events, write, watcher } = watch(t, valid)
    const restore = exhaust(t)
    clock.advance(5000)
    assert.deepEqual([events(), watcher.isBusy], [[], false])
    write('fluxgate.yaml', configuration(2))
    clock.advance(5000)
    assert.deepEqual(events(), [])
    restore()
    clock.advance(SOON)
    assert.deepEqual(events(), ['changed 2'])
  })

  test('a reload that is asked for is made when there is one again', (t) => {
    const { clock, events, watcher } = watch(t, valid)
    const restore = exhaust(t)
    watcher.reloadNow()
    clock.advance(5000)
    assert.deepEqual([events(), watcher.isBusy], [[], true])
    restore()
    clock.advance(SOON)
    assert.deepEqual([events(), watcher.isBusy], [['changed 1'], false])
  })
})
