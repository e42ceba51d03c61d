/** What the watched files hold now, at the price of one `stat` for each as long as nothing happens. */
import { readSource, type Source, stampAt } from '../source.ts'

/**
 * Content is read again after this time though nothing seems to have changed. Times of files are coarse (an edit in the
 * same tick as the last one leaves them as they were), and some network and FUSE file systems do not keep them at all.
 */
const REREAD_MS = 500
/** Reading takes at most a hundredth of the time, however large or slow the files are. */
const REREAD_PER_COST = 100

interface Sighting {
  source: Source
  rereadAt: number
}

export class Sightings {
  readonly #now: () => number
  #sightings: Sighting[] = []

  constructor(sources: readonly Source[], now: () => number) {
    this.#now = now
    this.watch(sources)
  }

  /** From now on these, as they were read just now. */
  watch(sources: readonly Source[]): void {
    const rereadAt = this.#now() + REREAD_MS
    this.#sightings = sources.map((source) => ({ source, rereadAt }))
  }

  look(): readonly Source[] {
    return this.#sightings.map((sighting) => {
      const { path, limit, stamp } = sighting.source
      const start = this.#now()
      if (start < sighting.rereadAt && stamp !== '' && stamp === stampAt(path)) return sighting.source
      const { digest, obstacle, stamp: newStamp } = readSource(path, limit)
      if (obstacle === 'exhausted') return sighting.source
      const cost = this.#now() - start
      sighting.source = { path, limit, digest, obstacle, stamp: newStamp }
      sighting.rereadAt = start + Math.max(REREAD_MS, cost * REREAD_PER_COST)
      return sighting.source
    })
  }
}

/** Whether files that occur in both were the same both times. */
export function agree(before: readonly Source[], after: readonly Source[]): boolean {
  const digests = new Map(before.map(({ path, limit, digest }) => [`${limit} ${path}`, digest]))
  return after.every(({ path, limit, digest }) => (digests.get(`${limit} ${path}`) ?? digest) === digest)
}

/** Whether something is known of each of them. */
export function isLooked(sources: readonly Source[]): boolean {
  return sources.every(({ obstacle }) => obstacle !== 'exhausted')
}
