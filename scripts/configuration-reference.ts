/** The reference page of the configuration file, made from its schema. */
import * as v from 'valibot'
import { CONFIGURATION_SCHEMA } from '../src/config/schema/schema.ts'
import { isRequired, type Schema, type SchemaParts, shapeOf, unwrap } from '../src/config/schema/shape.ts'

interface Row {
  readonly path: string
  readonly type: string
  readonly fallback: string
  readonly meaning: string
}

const INTRODUCTION = `# Configuration reference

<!-- Generated from src/config/schema.ts by scripts/generate-schema.ts. Do not edit. -->

Every key of \`fluxgate.yaml\`. An explicit null is the same as leaving the key out. A *secret* is text, or
\`{ env: NAME }\` for an environment variable, or \`{ file: PATH }\` for a file; one line break at the end of either is
dropped. Relative paths start at the folder of the configuration file. A timeout is an integer of milliseconds from 1 to
2147483647. \`<name>\` is a name of your choice, \`[]\` stands for each item of a list.

Editors that know JSON Schema complete and check the file with \`config/fluxgate.schema.json\`; \`fluxgate check\` checks
everything.
`

export function configurationReference(): string {
  const rows = [...rowsOf(CONFIGURATION_SCHEMA, '')]
  const lines = rows.map(({ path, type, fallback, meaning }) => `| \`${path}\` | ${type} | ${fallback} | ${meaning} |`)
  return `${INTRODUCTION}\n| key | type | default | meaning |\n|---|---|---|---|\n${lines.join('\n')}\n`
}

function* rowsOf(schema: Schema, path: string): Generator<Row> {
  if (path !== '') yield rowOf(schema, path)
  const shape = shapeOf(schema)
  if (shape.kind === 'list') {
    if (shapeOf(shape.item).kind === 'mapping') yield* innerRowsOf(shape.item, `${path}[]`)
  } else if (shape.kind === 'mapping') {
    yield* innerRowsOf(schema, path)
    if (shape.rest !== undefined) yield* rowsOf(shape.rest, `${path}.<name>`)
  }
}

function* innerRowsOf(schema: Schema, path: string): Generator<Row> {
  const shape = shapeOf(schema)
  if (shape.kind !== 'mapping') return
  for (const [name, entry] of Object.entries(shape.entries)) {
    yield* rowsOf(entry, path === '' ? name : `${path}.${name}`)
  }
}

function rowOf(schema: Schema, path: string): Row {
  const fallback = defaultOf(schema)
  // The name of an upstream is no key that could be missing.
  const isNeeded = isRequired(schema) && !path.endsWith('>')
  return {
    path,
    type: typeTextOf(schema),
    fallback: isNeeded ? '**required**' : fallback === undefined ? '' : `\`${fallback}\``,
    meaning: descriptionOf(schema),
  }
}

function descriptionOf(schema: Schema): string {
  return v.getDescription(unwrap(schema)) ?? ''
}

/** What holds where the key is absent, if anything does. */
function defaultOf(schema: Schema): string | undefined {
  const { default: fallback } = schema as SchemaParts
  return fallback === undefined ? undefined : String(fallback)
}

function unionTextOf(options: readonly Schema[]): string {
  const types = options.map((option) => (option as unknown as SchemaParts).type)
  if (types.includes('array')) return 'text or list of text'
  return types.includes('literal') ? options.map(typeTextOf).join(' or ') : 'secret'
}

function typeTextOf(schema: Schema): string {
  const shape = shapeOf(schema)
  if (shape.kind === 'list')
    return shapeOf(shape.item).kind === 'mapping' ? 'list' : `list of ${typeTextOf(shape.item)}`
  if (shape.kind === 'mapping') return 'mapping'
  const { type, literal, options } = unwrap(schema) as SchemaParts
  switch (type) {
    case 'literal':
      return `\`${literal}\``
    case 'picklist':
      return (options ?? []).map((option) => `\`${option}\``).join(', ')
    case 'union':
      return unionTextOf(options as readonly Schema[])
    case 'number':
      return 'integer'
    case 'boolean':
      return '`true`, `false`'
    case 'never':
      return ''
    default:
      return 'text'
  }
}
