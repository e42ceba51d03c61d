/** What would be said again and again while it lasts. */
export function onceAMinute<What>(say: (what: What) => void): (what: What) => void {
  let silentUntil = 0
  return (what) => {
    if (performance.now() < silentUntil) return
    silentUntil = performance.now() + 60_000
    say(what)
  }
}
