/** The same text by itself: a part of a larger one keeps all of that in memory, such as the head of a message. */
export function ownText(part: string): string {
  return Buffer.from(part).toString()
}
