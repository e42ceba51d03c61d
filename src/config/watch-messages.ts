/** What the thread that watches the configuration and the one that serves say to each other. */
import type { WatchEvent, WatchState } from './watch-state.ts'

export interface WatchThreadData {
  readonly path: string
  readonly initial: WatchState
}

/** Take what is there at once. */
export type ToWatchThread = 'reload'

export type FromWatchThread =
  | { readonly type: 'event'; readonly event: WatchEvent; readonly state: WatchState }
  /** A reload that was asked for is through, whatever came of it. */
  | { readonly type: 'reloaded' }
  /** It ends, so that its memory is given back, and another one is to go on. */
  | { readonly type: 'retiring'; readonly state: WatchState }
