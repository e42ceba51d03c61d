import { hash } from 'node:crypto'
import { readHidden } from './read-hidden.ts'

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/** Without the one line break that `echo` or an editor left at the end. */
function dropLineBreak(bytes: Uint8Array): Uint8Array {
  if (bytes.at(-1) !== LINE_FEED) return bytes
  return bytes.subarray(0, bytes.at(-2) === CARRIAGE_RETURN ? -2 : -1)
}

/** The digest of a key as `key_sha256` wants it, or undefined if there is no key. */
export function digestKey(input: Uint8Array): string | undefined {
  const key = dropLineBreak(input)
  return key.length === 0 ? undefined : hash('sha256', key, 'hex')
}

async function readAll(stdin: NodeJS.ReadStream): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stdin) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** The exit code. */
export async function hashKey(stdin: NodeJS.ReadStream): Promise<number> {
  const input = stdin.isTTY
    ? await readHidden(stdin, 'Type or paste the key, which is not shown, and press Enter: ')
    : await readAll(stdin)
  if (typeof input === 'number') return input
  const digest = digestKey(typeof input === 'string' ? Buffer.from(input) : input)
  if (digest === undefined) {
    process.stderr.write('error: no key on stdin; try: printf %s "$KEY" | fluxgate hash-key\n')
    return 1
  }
  process.stdout.write(`${digest}\n`)
  return 0
}
