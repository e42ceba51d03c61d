import type { Dialect } from './dialect.ts'
import { bedrock } from './dialects/bedrock.ts'
import { openAiResponses } from './dialects/openai-responses.ts'
import { modelInTarget, splitTarget } from './path-model.ts'
import { dialectOfPath } from './read-answer.ts'
import { remembering } from './remembering.ts'
import { modelOf } from './usage.ts'

/** What a request target says of its answer. */
export interface TargetWords {
  readonly model: string | undefined
  readonly dialect: Dialect | undefined
  readonly isOfResponses: boolean
  readonly isOfBedrock: boolean
}

/** Reading one takes a dozen patterns. */
const remembered = remembering(256, (target): TargetWords => {
  const [path] = splitTarget(target)
  return {
    model: modelOf(modelInTarget(target)),
    dialect: dialectOfPath(path),
    isOfResponses: openAiResponses.path.test(path),
    isOfBedrock: bedrock.path.test(path),
  }
})

export function wordsOf(target: string): TargetWords {
  return remembered(target)
}
