/**
 * Writes what is generated from the configuration's schema: the JSON Schema for editors and the reference page.
 * `--check` writes nothing and fails if one of them is stale.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { toJsonSchema } from '@valibot/to-json-schema'
import { CONFIGURATION_SCHEMA } from '../src/config/schema/schema.ts'
import { configurationReference } from './configuration-reference.ts'

export function generated(): ReadonlyMap<string, string> {
  const schema = toJsonSchema(CONFIGURATION_SCHEMA, { target: 'draft-07' })
  return new Map([
    ['config/fluxgate.schema.json', `${JSON.stringify(schema, null, 2)}\n`],
    ['docs/reference/configuration.md', configurationReference()],
  ])
}

function current(url: URL): string | undefined {
  try {
    return readFileSync(url, 'utf8')
  } catch {
    return undefined
  }
}

function run(isCheck: boolean): number {
  let stale = 0
  for (const [path, text] of generated()) {
    const url = new URL(`../${path}`, import.meta.url)
    if (current(url) === text) continue
    if (isCheck) {
      stale++
      console.error(`${path} is stale: run node scripts/generate-schema.ts`)
    } else {
      writeFileSync(url, text)
      console.log(`wrote ${path}`)
    }
  }
  return stale === 0 ? 0 : 1
}

if (import.meta.main) process.exitCode = run(process.argv.includes('--check'))
