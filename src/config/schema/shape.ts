/** A schema as data: what validation and the reference page need to walk over it. */
import type * as v from 'valibot'

export type Schema = v.GenericSchema

export type Shape =
  | { readonly kind: 'mapping'; readonly entries: Readonly<Record<string, Schema>>; readonly rest: Schema | undefined }
  | { readonly kind: 'list'; readonly item: Schema }
  | { readonly kind: 'value' }

/** The parts of valibot's schema objects that anybody looks at. */
export interface SchemaParts {
  readonly type: string
  readonly message?: unknown
  readonly entries?: Readonly<Record<string, Schema>>
  readonly rest?: Schema
  readonly item?: Schema
  readonly wrapped?: Schema
  readonly default?: unknown
  readonly literal?: unknown
  readonly options?: readonly unknown[]
}

/** The schema of a value that is there. */
export function unwrap(schema: Schema): Schema {
  const { type, wrapped } = schema as SchemaParts
  return type === 'optional' && wrapped !== undefined ? wrapped : schema
}

export function isRequired(schema: Schema): boolean {
  return (schema as SchemaParts).type !== 'optional'
}

export function shapeOf(schema: Schema): Shape {
  const { type, entries, rest, item } = unwrap(schema) as SchemaParts
  if (type === 'array' && item !== undefined) return { kind: 'list', item }
  if (type.includes('object') && entries !== undefined) return { kind: 'mapping', entries, rest }
  return { kind: 'value' }
}

/** What the value must be, in the schema's own words. */
export function expectationOf(schema: Schema): string {
  const { message } = unwrap(schema) as SchemaParts
  return typeof message === 'string' ? message : 'must be a mapping'
}
