/** The text of a table with one model, at so many dollars for a million tokens of input. */
export function priceTable(version: string, input: number): string {
  const prices = { input_mtok: input, output_mtok: 0 }
  const models = [['m', { starts_with: 'gpt' }, prices]]
  return JSON.stringify({
    version,
    providers: [{ id: 'openai', host: 'https://api\\.openai\\.com', like: [], models }],
  })
}
