const MAX_MS = 10_000

/** A shorter text that is still one of these, by leaving out ever smaller pieces and making plain what is left. */
export async function shrink(text: string, isOne: (text: string) => Promise<boolean>): Promise<string> {
  const until = performance.now() + MAX_MS
  let shortest = text
  for (let size = Math.ceil(text.length / 2); size >= 1 && performance.now() < until; ) {
    let hasShrunk = false
    for (let at = 0; at < shortest.length && performance.now() < until; ) {
      const shorter = shortest.slice(0, at) + shortest.slice(at + size)
      if (await isOne(shorter)) {
        shortest = shorter
        hasShrunk = true
      } else at += size
    }
    if (size === 1 && !hasShrunk) break
    if (!hasShrunk || size > 1) size = Math.max(1, Math.floor(size / 2))
  }
  for (let at = 0; at < shortest.length && performance.now() < until; at++) {
    if (/[a0\s]/.test(shortest[at]!)) continue
    const plainer = `${shortest.slice(0, at)}${/\d/.test(shortest[at]!) ? '0' : 'a'}${shortest.slice(at + 1)}`
    if (await isOne(plainer)) shortest = plainer
  }
  return shortest
}
