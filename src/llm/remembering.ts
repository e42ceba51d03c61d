import { ownText } from '../runtime/own-text.ts'

/** Longer texts are nobody's usual ones. */
const MAX_LENGTH = 256

/** The same as `read`, whose answers are remembered: most texts of a thread are one of a few. */
export function remembering<Words>(most: number, read: (text: string) => Words): (text: string) => Words {
  const remembered = new Map<string, Words>()
  return (text) => {
    let words = remembered.get(text)
    if (words !== undefined) return words
    words = read(text)
    if (text.length > MAX_LENGTH) return words
    if (remembered.size >= most) remembered.clear()
    remembered.set(ownText(text), words)
    return words
  }
}
