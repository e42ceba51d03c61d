/** A configuration as a program writes it: the types of what the schema takes. */
import type * as v from 'valibot'
import type { CONFIGURATION_SCHEMA, upstream } from './schema.ts'

type Whole = v.InferInput<typeof CONFIGURATION_SCHEMA>

/** What stands beside the upstreams by name. */
type SharedOf<T> = { [K in keyof T as string extends K ? never : K]: T[K] }

type Upstreams = SharedOf<NonNullable<Whole['upstreams']>> & {
  [name: string]: v.InferInput<typeof upstream> | number | undefined
}

/** The content of a configuration file; docs/reference/configuration.md has every key. */
export interface ConfigurationInput extends Omit<Whole, 'upstreams'> {
  upstreams?: Upstreams | undefined
}
