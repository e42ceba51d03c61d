import { redactModel } from '../observe/redact.ts'
import type { Exchange } from './exchange.ts'

const MASK = '***'

/** The name of a model is what somebody else wrote: it must bring no key into the log, the metrics or the ledger. */
export function shownModel({ key, snapshot, upstream }: Exchange, model: string | undefined): string | undefined {
  if (model === undefined) return undefined
  const apiKey = upstream?.apiKey
  if ((key !== '' && model.includes(key)) || (apiKey && model.includes(apiKey))) return MASK
  return redactModel(model, snapshot.keys)
}
