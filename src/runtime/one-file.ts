/**
 * The one-file executable (docs/decisions/0043): Node with this program in it. What is a file of its own elsewhere is an asset
 * there, and `scripts/build-binary.ts` makes its URL `embedded:NAME`.
 */
import { readFileSync } from 'node:fs'

const sea = process.getBuiltinModule('node:sea')

/** Whether this process is it: then Node's options are part of it, and it takes none on its command line. */
export const isOneFile: boolean = sea.isSea()

/** The code of a thread that begins here; undefined where it is a file. */
export function embeddedCode(entry: URL): string | undefined {
  return entry.protocol === 'embedded:' ? sea.getAsset(entry.pathname, 'utf8') : undefined
}

/** The content of a file of this program. */
export function readOwnFile(file: URL): string {
  return embeddedCode(file) ?? readFileSync(file, 'utf8')
}
