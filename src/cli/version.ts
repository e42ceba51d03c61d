import { readOwnFile } from '../runtime/one-file.ts'

/** The version in package.json, which is two folders up from here and from `dist/cli/`. */
export function readVersion(): string {
  const manifest: { version: string } = JSON.parse(readOwnFile(new URL('../../package.json', import.meta.url)))
  return manifest.version
}
