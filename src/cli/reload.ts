import { assemble, type Configuration } from '../config/assemble.ts'
import type { BindAddress, Snapshot } from '../config/snapshot.ts'
import type { WatchEvent } from '../config/watch/state.ts'
import type { Gateway } from '../gateway.ts'
import { announce, EVENTS } from '../observe/events.ts'
import type { Log } from '../observe/log.ts'
import { announceChangedFields } from './changed-fields.ts'
import { warnOfFewDescriptors } from './descriptors.ts'
import { describeError } from './process-events.ts'

type Changed = Extract<WatchEvent, { type: 'changed' }>

/** From what the watcher saw to what the gateway serves, one change after the other. */

export interface ReloaderOptions {
  readonly gateway: Pick<Gateway, 'publish'>
  readonly log: Log
  /** As given on the command line. */
  readonly path: string
  /** Where the gateway listens now. */
  readonly address: string
  /** Of the command line: counts instead of what the file says. */
  readonly bindAddress?: BindAddress | undefined
  /** Generation of the snapshot that it started with. */
  readonly generation: number
  readonly maxConnections: number
  readonly workers: number
  /** Changes wait until this resolves: a successor that is about to listen must not find its new address taken by this process. */
  readonly mayGoOn?: () => Promise<void>
  /** Hears of each snapshot once it is in force, and of where the gateway listens then. */
  readonly onPublished?: (snapshot: Snapshot, address: string) => Promise<void>
}

export interface Reloader {
  onEvent(event: WatchEvent): void
  /** Resolves when no change is being published. */
  idle(): Promise<void>
  /** Takes no more changes; resolves when the one that is being published is through. */
  close(): Promise<void>
}

/** `bindAddress`: instead of that of the configuration. */
export function numbered(configuration: Configuration, generation: number, bindAddress?: BindAddress): Snapshot {
  const { server } = configuration
  return {
    ...configuration,
    generation,
    server: bindAddress === undefined ? server : Object.freeze({ ...server, bindAddress }),
  }
}

export function logWarnings(log: Log, warnings: readonly string[]): void {
  for (const problem of warnings) announce(log, EVENTS.configurationWarning, { problem })
}

/** A file that was cut off in the middle of being written can be valid, and take every key away: that is more than news. */
function announceReload(log: Log, path: string, isAnonymous: boolean, { changes, isAskedFor }: Changed): void {
  const { reloaded, failing, isAll } = changes.certificates
  for (const certificate of reloaded) announce(log, EVENTS.certificateReloaded, { path: certificate })
  for (const fault of failing) announce(log, EVENTS.certificateKept, fault)
  if (isAll && !isAskedFor && reloaded.length + failing.length > 0) return
  const losses: string[] = []
  if (changes.losesKeys) {
    losses.push(
      isAnonymous ? 'no key is left, and none is needed' : 'no key is left: every request is answered with 401',
    )
  }
  if (changes.losesUpstreams) losses.push('no upstream is left: no request goes anywhere')
  announce(log, losses.length === 0 ? EVENTS.reloaded : EVENTS.reloadedToNothing, {
    path,
    status: 'applied',
    problem: losses.length === 0 ? undefined : losses.join('; '),
    keys_added: changes.keysAdded,
    keys_removed: changes.keysRemoved,
    keys_changed: changes.keysChanged,
    upstreams_added: changes.upstreamsAdded,
    upstreams_removed: changes.upstreamsRemoved,
    upstreams_changed: changes.upstreamsChanged,
    files_changed: changes.filesChanged,
  })
}

export function createReloader(options: ReloaderOptions): Reloader {
  const { gateway, log, path, bindAddress, mayGoOn, onPublished, ...start } = options
  let { address, generation, maxConnections, workers } = start
  let isClosed = false
  let published = Promise.resolve()

  async function publish(changed: Changed): Promise<void> {
    if (isClosed) return
    const { settings, warnings } = changed
    const snapshot = numbered(assemble(settings), ++generation, bindAddress)
    const result = await gateway.publish(snapshot, settings)
    logWarnings(log, warnings)
    announceReload(log, path, settings.allowAnonymous, changed)
    announceChangedFields(log, snapshot)
    const { server } = snapshot
    if (server.maxConnections !== maxConnections || server.workers !== workers) {
      ;({ maxConnections, workers } = server)
      warnOfFewDescriptors(log, server)
    }
    if (result.rebound === 'yes') {
      announce(log, EVENTS.addressChanged, { old_address: address, new_address: result.address })
      announce(log, EVENTS.listening, {}, result.address)
      address = result.address
    } else if (result.rebound === 'failed') {
      announce(log, EVENTS.bindFailed, { address: snapshot.server.bindAddress.text, error: result.error })
    }
    await onPublished?.(snapshot, address)
  }

  function onChanged(changed: Changed): void {
    published = published
      .then(() => mayGoOn?.())
      .then(() => publish(changed))
      .catch((error: unknown) => announce(log, EVENTS.reloadFailed, { path, ...describeError(error) }))
  }

  return {
    onEvent(event) {
      if (event.type === 'changed') onChanged(event)
      else if (event.type === 'invalid') announce(log, EVENTS.invalid, { path, error: event.error })
      else announce(log, EVENTS[event.type], { path })
    },
    idle: () => published,
    close() {
      isClosed = true
      return published
    },
  }
}
