/** Goes into a gateway's process by `--import`: whatever some files of the tap export throws when it is called. */
import { registerHooks } from 'node:module'

const broken = new RegExp(`/llm/(?:${process.env.FLUXGATE_TEST_BROKEN})\\.[jt]s$`)

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context)
    if (!broken.test(url)) return loaded
    const source = String(loaded.source)
      .replace(/^export function (\w+)/gm, "export function $1() { throw new Error('a bug') }\nfunction real_$1")
      .replace(/^export class (\w+)/gm, "export class $1 { constructor() { throw new Error('a bug') } }\nclass real_$1")
      .replace(/^( {2}(?:async )?\w+\(.*\{)$/gm, "$1 throw new Error('a bug')")
    return { ...loaded, source }
  },
})
