import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'

/** Writes files into a folder that goes with the test; says where each of them is. */
export function filesBeside(t: TestContext, files: Readonly<Record<string, string>>): (name: string) => string {
  const directory = mkdtempSync(path.join(tmpdir(), 'fluxgate-test-'))
  t.after(() => rmSync(directory, { recursive: true }))
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(directory, name), content)
  return (name) => path.join(directory, name)
}
