/** What the thread that watches the configuration and the one that serves say to each other. */
import type { WatchEvent, WatchState } from './state.ts'

export type ToWatchThread =
  /** The first message: from here on. */
  | { readonly type: 'watch'; readonly path: string; readonly initial: WatchState }
  /** Take what is there at once. */
  | { readonly type: 'reload' }

export type FromWatchThread =
  /** All that it needs is loaded. */
  | { readonly type: 'up' }
  | { readonly type: 'event'; readonly event: WatchEvent; readonly state: WatchState }
  /** A reload that was asked for is through, whatever came of it. */
  | { readonly type: 'reloaded' }
  /** It ends, so that its memory is given back, and another one is to go on. */
  | { readonly type: 'retiring'; readonly state: WatchState }
