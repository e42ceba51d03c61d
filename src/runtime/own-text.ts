/** The same text by itself and in one piece: a part of a larger one keeps all of that in memory, one put together is copied at every use. */
export function ownText(text: string): string {
  return Buffer.from(text).toString()
}
