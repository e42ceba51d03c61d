import type { Content } from './content.ts'
import type { Dialect, FieldOf, Found } from './dialect.ts'
import { anthropic } from './dialects/anthropic.ts'
import { bedrock } from './dialects/bedrock.ts'
import { cohere } from './dialects/cohere.ts'
import { gemini } from './dialects/gemini.ts'
import { ollama } from './dialects/ollama.ts'
import { openAiChat } from './dialects/openai-chat.ts'
import { openAiResponses } from './dialects/openai-responses.ts'
import type { TargetWords } from './target-words.ts'

/** The words of the configuration: `upstreams.<name>.usage`. */
export type DialectName = 'openai' | 'anthropic' | 'gemini' | 'bedrock' | 'cohere' | 'ollama'

const BY_NAME: Readonly<Record<DialectName, readonly Dialect[]>> = {
  openai: [openAiResponses, openAiChat],
  anthropic: [anthropic],
  gemini: [gemini],
  bedrock: [bedrock],
  cohere: [cohere],
  ollama: [ollama],
}

const ALL = [openAiResponses, anthropic, bedrock, gemini, cohere, ollama, openAiChat]

/** What an answer says of its usage. */
export function readAnswer(
  content: Content,
  name: DialectName | 'auto',
  target: Pick<TargetWords, 'isOfBedrock' | 'dialect'>,
  contentType: string,
  field: FieldOf,
): Found {
  return dialectOf(content, name, target, contentType).read(content, field)
}

/** What a path says of the dialect: undefined if nothing. */
export function dialectOfPath(path: string): Dialect | undefined {
  return ALL.find((one) => one.path.test(path))
}

/**
 * Bedrock is known by its path or its type, since what it carries has a shape of its own. Else the answer's shape says it, at
 * its beginning or at its end, and only then the path: a gateway behind this one may speak any dialect on any path.
 */
function dialectOf(
  content: Content,
  name: DialectName | 'auto',
  { isOfBedrock, dialect }: Pick<TargetWords, 'isOfBedrock' | 'dialect'>,
  contentType: string,
): Dialect {
  const among = name === 'auto' ? ALL : BY_NAME[name]
  if (among.length === 1) return among[0]!
  if (name === 'auto' && (isOfBedrock || contentType.includes('amazon.eventstream'))) return bedrock
  const byPath = dialect !== undefined && among.includes(dialect) ? dialect : undefined
  if (byPath !== undefined && content.first[0] !== undefined && byPath.knows(content.first[0])) return byPath
  const documents = [content.first[0], content.last[0], ...content.first.slice(1, 8), ...content.last.slice(1, 8)]
  for (const document of documents) {
    if (document === undefined) continue
    const dialect = among.find((one) => one.knows(document))
    if (dialect !== undefined) return dialect
  }
  return byPath ?? openAiChat
}
