/** Who gets the next connection. */

export interface Candidate {
  /** Connections that it has. */
  readonly load: number
  /** Connections on their way to it: whoever is slow to take them may be busy with something long. */
  readonly backlog: number
}

/** So many may be on their way to somebody before others come first. */
const SLOW_BACKLOG = 8
/** So many at most. The kernel has a limit for the descriptors that are on their way in the whole system. */
const MAX_BACKLOG = 64

/**
 * The one with the fewest connections; among equals, the next one after `last`. The kernel's way (SO_REUSEPORT) is a hash: of 8
 * streams on 4 threads, one had more than half in one case of nine.
 */
export function chooseNext<Of extends Candidate>(candidates: readonly Of[], last: Of | undefined): Of | undefined {
  let best: Of | undefined
  const start = last === undefined ? 0 : candidates.indexOf(last) + 1
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[(start + i) % candidates.length]!
    if (candidate.backlog < MAX_BACKLOG && (best === undefined || isBetter(candidate, best))) best = candidate
  }
  return best
}

function isBetter(a: Candidate, b: Candidate): boolean {
  const [isSlow, isOtherSlow] = [a.backlog >= SLOW_BACKLOG, b.backlog >= SLOW_BACKLOG]
  return isSlow === isOtherSlow ? a.load < b.load : isOtherSlow
}
