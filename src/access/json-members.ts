/**
 * The member names of a JSON object's top level, decoded. For text that `JSON.parse` has accepted: which of two equal names
 * it keeps is nobody's business, so equal names must be found in the text itself.
 */
export function memberNames(json: string): string[] {
  const names: string[] = []
  let depth = 0
  let expectsName = false
  for (let i = 0; i < json.length; i++) {
    const c = json[i]!
    if (c === '"') {
      const end = stringEnd(json, i)
      if (expectsName) names.push(JSON.parse(json.slice(i, end + 1)) as string)
      expectsName = false
      i = end
    } else if (c === '{' || c === '[') expectsName = ++depth === 1
    else if (c === '}' || c === ']') depth--
    else if (c === ',') expectsName = depth === 1
  }
  return names
}

function stringEnd(json: string, start: number): number {
  let i = start + 1
  while (json[i] !== '"') i += json[i] === '\\' ? 2 : 1
  return i
}

/** How deep brackets nest, without parsing: to be known before a parser recurses into them. */
export function nestingDepth(json: string): number {
  let depth = 0
  let deepest = 0
  let isInString = false
  for (let i = 0; i < json.length; i++) {
    const c = json[i]
    if (isInString) {
      if (c === '\\') i++
      else if (c === '"') isInString = false
    } else if (c === '"') isInString = true
    else if (c === '{' || c === '[') deepest = Math.max(deepest, ++depth)
    else if (c === '}' || c === ']') depth--
  }
  return deepest
}
