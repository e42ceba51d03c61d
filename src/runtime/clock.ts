/**
 * Two clocks that must not be confused: durations and deadlines follow the monotonic one, timestamps the wall.
 */

/** Milliseconds since some fixed moment, with fractions; never jumps, whatever is done to the machine's date. */
export function monotonicMs(): number {
  return performance.now()
}

/** How long a jump of the wall clock may stay unseen. */
const CALIBRATION_MS = 100

const THREE_DIGITS = Array.from({ length: 1000 }, (_, n) => String(n).padStart(3, '0'))

/** Digits that stand behind a decimal point: `threeDigits(7)` is `007`. For 0 to 999. */
export function threeDigits(n: number): string {
  return THREE_DIGITS[n]!
}

/**
 * A source of RFC 3339 timestamps in UTC with microseconds.
 *
 * `Date.now()` has no microseconds and the monotonic clock no date, so the second one is read each time and its distance
 * to the first is corrected every 100 ms: the true time lies in [Date.now(), Date.now() + 1), and an estimate outside of
 * that is moved to its nearest edge. Small drift is so smoothed away and a jump is followed whole.
 */
export function createTimestamps(wallMs: () => number, monotonic: () => number): (nowMs?: number) => string {
  let offset = 0
  let calibrateAt = Number.NEGATIVE_INFINITY
  let second = Number.NaN
  let prefix = ''

  function calibrate(now: number): void {
    const wall = wallMs()
    const ahead = now + offset - wall
    if (ahead < 0) offset -= ahead
    else if (ahead >= 1) offset -= ahead - 0.999
    calibrateAt = now + CALIBRATION_MS
  }

  return (now = monotonic()) => {
    if (now >= calibrateAt) calibrate(now)
    const micros = Math.floor((now + offset) * 1000)
    const seconds = Math.floor(micros / 1e6)
    if (seconds !== second) {
      second = seconds
      prefix = `${new Date(seconds * 1000).toISOString().slice(0, 19)}.`
    }
    const fraction = micros - seconds * 1e6
    const millis = Math.floor(fraction / 1000)
    return `${prefix + THREE_DIGITS[millis]! + THREE_DIGITS[fraction - millis * 1000]!}Z`
  }
}

export const timestamp: (nowMs?: number) => string = createTimestamps(Date.now, monotonicMs)
