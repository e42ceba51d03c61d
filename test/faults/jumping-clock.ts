/**
 * Goes into a gateway's process by `--import`: at SIGWINCH its wall clock jumps an hour ahead, at the next one two hours
 * back. The monotonic clock, which nobody can set, stays as it is.
 */
const HOUR_MS = 3_600_000
const now = Date.now.bind(Date)
const jumps = [HOUR_MS, -2 * HOUR_MS]
let offset = 0

Date.now = () => now() + offset

process.on('SIGWINCH', () => {
  offset += jumps.shift() ?? 0
  process.stderr.write('the wall clock has jumped\n')
})
