import { readFileSync } from 'node:fs'

/** The version in package.json, which is two folders up from here and from `dist/cli/`. */
export function readVersion(): string {
  const manifest: { version: string } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return manifest.version
}
