/** What the thread that watches the configuration and the one that serves say to each other. */
import type { WatchEvent, WatchState } from './state.ts'

export type ToWatchThread =
  /** The first message: from here on. */
  | { readonly type: 'watch'; readonly path: string; readonly initial: WatchState }
  /** Take what is there at once. */
  | { readonly type: 'reload' }
  /** The next one is up: tell it where to go on, and end. */
  | { readonly type: 'retire' }

export type FromWatchThread =
  /** All that it needs is loaded. */
  | { readonly type: 'up' }
  | { readonly type: 'event'; readonly event: WatchEvent; readonly state: WatchState }
  /** A reload that was asked for is through, whatever came of it. */
  | { readonly type: 'reloaded' }
  /** It holds memory that a fresh one would not. Said once for each load. */
  | { readonly type: 'heavy' }
  /** It ends, and the next one is to go on from there. */
  | { readonly type: 'retiring'; readonly state: WatchState }
  /** It cannot retire just now, as a change is settling; it will say again that it is heavy. */
  | { readonly type: 'staying' }
