/**
 * Writes THIRD-PARTY-NOTICES: the licences of what a gateway needs at run time, for the package, the image and the one-file
 * executable. `--check` writes nothing and fails if it is stale.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const FILE = 'THIRD-PARTY-NOTICES'

const HEAD = `Fluxgate is licensed under the Apache License 2.0: see LICENSE. It uses the packages below, under their own licences.

The container image and the one-file executable also contain Node.js (https://nodejs.org), whose licence, with those of
everything in it, is the file LICENSE-NODE beside this one.
`

/** What is made of its data is part of the package: config/prices.json. */
const DATA = ['@pydantic/genai-prices']

/** Of packages that name their licence and do not bring it. */
const TEXTS: Readonly<Record<string, string>> = {
  Unlicense: `This is free and unencumbered software released into the public domain.

Anyone is free to copy, modify, publish, use, compile, sell, or distribute this software, either in source code form or as a
compiled binary, for any purpose, commercial or non-commercial, and by any means.

In jurisdictions that recognize copyright laws, the author or authors of this software dedicate any and all copyright interest
in the software to the public domain. We make this dedication for the benefit of the public at large and to the detriment of
our heirs and successors. We intend this dedication to be an overt act of relinquishment in perpetuity of all present and
future rights to this software under copyright law.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES
OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS BE LIABLE FOR ANY
CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION
WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.

For more information, please refer to <https://unlicense.org>`,
}

interface Manifest {
  readonly version: string
  readonly license: string
  readonly dependencies?: Readonly<Record<string, string>>
}

function read<T>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T
}

/** Those of this package, and of them, and so on. All are at the top of node_modules, or this fails. */
function productionPackages(): string[] {
  const found = new Set(Object.keys(read<Manifest>('package.json').dependencies ?? {}))
  for (const name of found) {
    for (const next of Object.keys(read<Manifest>(`node_modules/${name}/package.json`).dependencies ?? {}))
      found.add(next)
  }
  return [...found].sort()
}

function notice(name: string): string {
  const folder = join('node_modules', name)
  const { version, license } = read<Manifest>(join(folder, 'package.json'))
  const file = ['LICENSE', 'LICENSE.md', 'LICENSE.txt', 'LICENCE'].map((each) => join(folder, each)).find(existsSync)
  const text = file === undefined ? TEXTS[license] : readFileSync(file, 'utf8')
  if (text === undefined) throw new Error(`${name} brings no text of its licence: add it by hand`)
  return `${'-'.repeat(80)}\n${name} ${version} (${license})\n\n${text.trim()}\n`
}

const text = [HEAD, ...[...productionPackages(), ...DATA].map(notice)].join('\n')
if (existsSync(FILE) && readFileSync(FILE, 'utf8') === text) {
  // Nothing to do.
} else if (process.argv.includes('--check')) {
  console.error(`${FILE} is stale: run node scripts/generate-notices.ts`)
  process.exitCode = 1
} else {
  writeFileSync(FILE, text)
  console.log(`wrote ${FILE}`)
}
