/**
 * The house rules that no ready-made linter knows: who may import whom, names, forbidden words, the manifest.
 * (Biome checks lengths, cycles and spelling of file names.) Prints `file:line: what is wrong`; exits 1 if there is anything.
 */
import { checkImports } from './tidy/imports.ts'
import { checkManifest } from './tidy/manifest.ts'
import { checkNames } from './tidy/names.ts'
import { listFiles } from './tidy/tree.ts'
import { checkWords } from './tidy/words.ts'

const files = listFiles(process.cwd())
const problems = [...checkNames(files), ...checkImports(files), ...checkWords(files), ...checkManifest(files)]

for (const problem of problems) console.log(problem)
console.log(problems.length === 0 ? `tidy: ${files.length} files` : `tidy: ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1
