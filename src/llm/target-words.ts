import type { Dialect } from './dialect.ts'
import { bedrock } from './dialects/bedrock.ts'
import { openAiResponses } from './dialects/openai-responses.ts'
import { ownText } from './own-text.ts'
import { modelInTarget, splitTarget } from './path-model.ts'
import { dialectOfPath } from './read-answer.ts'
import { modelOf } from './usage.ts'

/** What a request target says of its answer. */
export interface TargetWords {
  readonly model: string | undefined
  readonly dialect: Dialect | undefined
  readonly isOfResponses: boolean
  readonly isOfBedrock: boolean
}

/** Most of a thread's are the same few, and reading one takes a dozen patterns. */
const remembered = new Map<string, TargetWords>()
const MAX_REMEMBERED = 256
const MAX_LENGTH = 256

export function wordsOf(target: string): TargetWords {
  const known = remembered.get(target)
  if (known !== undefined) return known
  const [path] = splitTarget(target)
  const words: TargetWords = {
    model: modelOf(modelInTarget(target)),
    dialect: dialectOfPath(path),
    isOfResponses: openAiResponses.path.test(path),
    isOfBedrock: bedrock.path.test(path),
  }
  if (target.length > MAX_LENGTH) return words
  if (remembered.size >= MAX_REMEMBERED) remembered.clear()
  remembered.set(ownText(target), words)
  return words
}
