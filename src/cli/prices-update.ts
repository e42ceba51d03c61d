import { ownPriceTable } from '../prices/table.ts'
import { countModels } from '../tools/prices/changes.ts'
import { PUBLISHED, updatePrices } from '../tools/prices/update.ts'

/** `fluxgate prices update FILE`: a newer table, and what is different in it; the exit code. */
export async function pricesUpdate(
  path: string,
  from: string | undefined,
  print: (line: string) => void,
): Promise<number> {
  try {
    const { table, isWritten, lines, added, removed, changed } = await updatePrices(
      path,
      from ?? PUBLISHED,
      ownPriceTable(),
    )
    for (const line of lines) print(line)
    print(
      `${isWritten ? 'wrote' : 'nothing new for'} ${path}: ${table.version}; ${countModels(table)} models, ${added} added, ${removed} removed, ${changed} changed`,
    )
    return 0
  } catch (error) {
    process.stderr.write(`error: ${reasonOf(error)}; ${path} is as it was\n`)
    return 1
  }
}

/** What `fetch` throws says nothing; its cause does. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error && cause.message !== '' ? `${message}: ${cause.message}` : message
}
