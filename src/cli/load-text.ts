import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LoadFailure, type LoadSuccess, loadConfiguration } from '../config/load.ts'

/** Through a file of its own, so that a built-in configuration takes the same path from text to snapshot as any other. */
export function loadText(text: string): LoadSuccess | LoadFailure {
  const folder = mkdtempSync(join(tmpdir(), 'fluxgate-'))
  try {
    const path = join(folder, 'built-in.yaml')
    writeFileSync(path, text)
    return loadConfiguration(path)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
