/** The model that a request target names, in its path or its query; undefined if it names none. */

/** Gemini and Vertex (`models/NAME:method`), Bedrock (`model/ID/converse`), Azure (`deployments/NAME/chat/…`). */
const IN_PATH = [
  /\/(?:models|tunedModels|endpoints)\/([^/:]+):\w+$/,
  /\/model\/([^/]+)\/(?:converse|invoke)[\w-]*$/,
  /\/deployments\/([^/]+)\//,
]
/** Realtime, and Azure's. */
const IN_QUERY = /(?:^|&)(?:model|deployment)=([^&]+)/

export function modelInTarget(target: string): string | undefined {
  const [path, query] = splitTarget(target)
  for (const pattern of IN_PATH) {
    const name = pattern.exec(path)?.[1]
    if (name !== undefined) return decoded(name)
  }
  const name = IN_QUERY.exec(query)?.[1]
  return name === undefined ? undefined : decoded(name)
}

export function splitTarget(target: string): [path: string, query: string] {
  const mark = target.indexOf('?')
  return mark === -1 ? [target, ''] : [target.slice(0, mark), target.slice(mark + 1)]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
