import { posix } from 'node:path'
import { lineOf, type SourceFile } from './tree.ts'

const BASE = ['runtime', 'failure', 'cause']
const WIRE = [...BASE, 'http', 'http1', 'http2']
/** What a configuration comes to. */
const SETTLED = ['config/settings', 'config/snapshot', 'config/key-table']

/**
 * THE table of edges: what each part of src/ may import. A part is a folder, a folder in a folder that has a row of its own,
 * or a file at the top of src/. What is named is open with all rooms in it; `folder/file` opens that one file only. A part may
 * always import itself. Read it as a tower: everything imports downwards, config, access and observe lean on it from the side
 * with the few edges that stand here, and tools stand beside it.
 */
const EDGES: Readonly<Record<string, readonly string[]>> = {
  runtime: [],
  cause: [],
  failure: ['cause'],
  http: BASE,
  http1: [...BASE, 'http'],
  // Its heads are judged by the parser of HTTP/1, so that there is one judge.
  http2: [...BASE, 'http', 'http1'],
  listener: [...WIRE, 'config/snapshot'],
  upstream: [...WIRE, 'config/snapshot'],
  // Bytes of an answer in, usage out.
  llm: ['http/octets', 'runtime/own-text'],
  // What tokens cost.
  prices: ['runtime', 'llm/usage', 'config/snapshot', 'config/schema/price-table'],
  // Numbers and their names; what is counted when, the path says.
  metrics: ['failure', 'http', 'runtime', 'llm/usage', 'config/snapshot'],
  // The operations door, which no request of a client passes.
  admin: ['metrics/exposition', 'config/snapshot'],
  // Rows of what has been, on a thread of their own.
  ledger: ['runtime', 'prices', 'config/snapshot', 'config/assemble', 'observe'],
  exchange: [...WIRE, 'upstream', 'access', 'llm', 'metrics', 'config/snapshot', 'observe/record', 'observe/redact'],
  metering: ['runtime', 'exchange', 'llm', 'prices', 'config/snapshot', 'observe'],
  serving: [...WIRE, 'listener', 'upstream', 'exchange', 'metering', 'metrics', 'ledger', 'config/snapshot', 'observe'],
  workers: [...BASE, 'serving', 'listener', 'ledger', 'metrics', ...SETTLED, 'config/assemble', 'observe'],
  gateway: ['runtime', 'serving', 'workers', 'listener', 'ledger', 'metrics', ...SETTLED, 'observe'],
  cli: [
    ...BASE,
    'gateway',
    'serving',
    'listener',
    'access',
    'admin',
    'config',
    'ledger',
    'prices',
    'metrics',
    'observe',
    'tools',
  ],
  main: ['runtime', 'cli'],
  // What programs import instead of running the command: the same gateway, without what belongs to a process.
  library: [
    ...BASE,
    'gateway',
    'config',
    'observe',
    'workers/tally',
    'cli/reload',
    'cli/changed-fields',
    'cli/descriptors',
    'cli/configuration-state',
    'cli/operations',
  ],

  // From bytes to a tree, to a document, to settings; then the files that put them together, and what watches them.
  'config/text': [],
  'config/schema': ['config/text'],
  'config/compile': [...SETTLED, 'config/source', 'config/text', 'config/schema', 'http', 'runtime/parallelism'],
  config: ['config/text', 'config/schema', 'config/compile', 'http', 'runtime'],
  'config/watch': ['config', 'runtime'],
  access: [...BASE, 'http', 'config/snapshot'],
  observe: [...BASE, 'llm/usage', 'config/snapshot', 'workers/line-ring', 'workers/tally'],

  'tools/diff': ['http', 'config', 'gateway', 'observe/log'],
  'tools/prices': ['config/schema/price-table'],
  'tools/stand-in': ['runtime'],
  'tools/top': ['admin/status'],
  'tools/usage': ['ledger', 'config/snapshot'],
}

/** The packages that src/ may use at all, and where. Nothing on the path of a request depends on one. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  yaml: ['config/text'],
  valibot: ['config/schema'],
  postgres: ['ledger'],
}

/** What is read as a file, wherever the program is. */
const OWN_FILES: ReadonlySet<string> = new Set(['package.json', 'config/prices.json'])

/** Import and export statements as the formatter leaves them, dynamic imports, and files named by URL (a worker's). */
const IMPORT =
  /^(?:import|export|\})[^'\n]*\bfrom '([^'\n]+)'|^import '([^'\n]+)'|\b(?:import|new URL)\(\s*'([^'\n]+)'/gm

export function checkImports(files: readonly SourceFile[]): string[] {
  const problems: string[] = []
  for (const file of files) {
    if (!file.path.startsWith('src/') || !file.path.endsWith('.ts')) continue
    const from = partOf(file.path)
    if (EDGES[from] === undefined) {
      problems.push(`${file.path}: ${from} has no row in the table of edges (scripts/tidy/imports.ts)`)
      continue
    }
    for (const match of file.text.matchAll(IMPORT)) {
      const wrong = judge(file.path, from, (match[1] ?? match[2] ?? match[3])!)
      if (wrong !== undefined) problems.push(`${file.path}:${lineOf(file.text, match.index)}: ${wrong}`)
    }
  }
  return problems
}

function judge(path: string, from: string, specifier: string): string | undefined {
  if (specifier.startsWith('node:')) return undefined
  if (!specifier.startsWith('.')) {
    const name = specifier.startsWith('@') ? specifier.split('/', 2).join('/') : specifier.split('/', 1)[0]!
    if (PACKAGES[name]?.includes(from)) return undefined
    return `${from} may not import the package ${name}`
  }
  const target = posix.join(posix.dirname(path), specifier)
  if (!target.startsWith('src/')) return OWN_FILES.has(target) ? undefined : `src may not import ${target}`
  const to = partOf(target)
  const file = target.slice('src/'.length, -'.ts'.length)
  const isOpen = (edge: string): boolean => edge === to || edge === file || to.startsWith(`${edge}/`)
  if (to === from || EDGES[from]!.some(isOpen)) return undefined
  return `${from} may not import ${to} (it may: ${EDGES[from]!.join(', ') || 'nothing'})`
}

/** `src/http1/encoder.ts` → `http1`, `src/config/text/tree.ts` → `config/text`, `src/failure.ts` → `failure`. */
function partOf(path: string): string {
  const [, folder = '', room = ''] = path.split('/')
  const inner = `${folder}/${room}`
  return EDGES[inner] === undefined ? folder.replace(/\.ts$/, '') : inner
}
