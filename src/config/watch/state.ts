/** What a watcher reports, and what another one needs to go on where it stood: plain data, made to cross to another thread. */
import type { LoadedSettings, LoadFailure } from '../load.ts'
import type { Settings } from '../settings.ts'
import { identityOf, type Source } from '../source.ts'
import type { Changes } from './changes.ts'

export type WatchEvent =
  | {
      readonly type: 'changed'
      readonly settings: Settings
      readonly warnings: readonly string[]
      readonly changes: Changes
      /** By a signal, and not by what somebody has done to a file. */
      readonly isAskedFor: boolean
    }
  | { readonly type: 'invalid'; readonly error: string }
  | { readonly type: 'missing' }
  | { readonly type: 'denied' }
  /** What was in the way has gone, and the content is what is served. */
  | { readonly type: 'restored' }

/** A state of the files that keeps them from being taken. */
export type ObstacleEvent = Exclude<WatchEvent, { type: 'changed' | 'restored' }>

export interface WatchState {
  /** As they were read last, the configuration file first. */
  readonly sources: readonly Source[]
  /** Identity of what was taken last with success. */
  readonly applied: string | undefined
  /** What was taken then, so that a change can be told in names. The serving side keeps it: not every message carries it. */
  readonly served?: Settings
  readonly condition: { readonly event: ObstacleEvent; readonly isRepeated: boolean } | undefined
}

/** After the load of a start, whose failure has been reported, once and for all. */
export function stateAfterStart(loaded: LoadedSettings | LoadFailure): WatchState {
  const { sources } = loaded
  return loaded.ok
    ? { sources, applied: identityOf(sources), served: loaded.settings, condition: undefined }
    : { sources, applied: undefined, condition: { event: obstacleOf(loaded), isRepeated: false } }
}

export function obstacleOf({ reason, error }: LoadFailure): ObstacleEvent {
  return reason === 'missing' || reason === 'denied' ? { type: reason } : { type: 'invalid', error }
}

export function isSameObstacle(a: ObstacleEvent, b: ObstacleEvent): boolean {
  return a.type === b.type && (a.type !== 'invalid' || b.type !== 'invalid' || a.error === b.error)
}
