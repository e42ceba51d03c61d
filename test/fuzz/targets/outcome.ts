import type { Passage } from '../../wire/passage.ts'

/** What became of the first messages, without what is particular to them. */
export function outcomeOf(passage: Passage): string {
  const classes = passage.messages.slice(0, 2).map(({ description, ending }) => {
    const [kind = '', ...words] = description.split(' ')
    const marks = words.slice(kind === 'request' ? 2 : 1).map((word) => word.replace(/=.*/, ''))
    return [kind, ...marks, ending].filter((word) => word !== '').join(' ')
  })
  return classes.join(' > ')
}
