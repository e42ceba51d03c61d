/**
 * How much of one turn of the event loop may go to requests that are over as soon as they are read: refusals, for which nobody
 * needs a key, and of which one read holds thousands. All connections of the thread share it; past it, each of them still gets
 * one such request in a turn, and goes on with the rest of what it has read in the next one.
 */

/** A refused request of the usual size is about 20 µs, and a unit. */
const UNITS = 64
/** A head costs a unit for each so many bytes. */
const UNIT_BYTES = 1_024

let left = UNITS

/** Spends what a head of this length costs; false: nothing is left in this turn. */
export function spendTurn(headBytes: number): boolean {
  if (left === UNITS) setImmediate(renew)
  left -= 1 + headBytes / UNIT_BYTES
  return left > 0
}

function renew(): void {
  left = UNITS
}
