/**
 * In which parts two answers of a model differ, for a person: the members of a JSON text, the events of a stream. It only
 * describes; whether a difference counts is decided without it.
 */

const SHOWN = 6

export function describeContents(straight: Buffer, gateway: Buffer): string | undefined {
  const a = parseJson(straight.toString())
  const b = parseJson(gateway.toString())
  if (a !== undefined && b !== undefined) return describeMembers(membersOf(a), membersOf(b))
  const events = [eventsOf(straight.toString()), eventsOf(gateway.toString())] as const
  return events[0].length > 0 && events[1].length > 0 ? describeEvents(...events) : undefined
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Path → all values at it, with lists as one: `choices[].message.content`. */
function membersOf(
  value: unknown,
  path = '',
  members: Map<string, string> = new Map(),
  depth = 0,
): Map<string, string> {
  if (typeof value !== 'object' || value === null || depth > 64) {
    members.set(path, `${members.get(path) ?? ''}${JSON.stringify(value)},`)
  } else if (Array.isArray(value)) {
    for (const item of value) membersOf(item, `${path}[]`, members, depth + 1)
  } else {
    for (const [name, inner] of Object.entries(value)) {
      membersOf(inner, path === '' ? name : `${path}.${name}`, members, depth + 1)
    }
  }
  return members
}

function describeMembers(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): string {
  const only = [...a.keys()].filter((path) => !b.has(path))
  const added = [...b.keys()].filter((path) => !a.has(path))
  const changed = [...a].filter(([path, values]) => b.has(path) && b.get(path) !== values).map(([path]) => path)
  const parts = [
    only.length > 0 ? `only straight: ${list(only)}` : '',
    added.length > 0 ? `only through the gateway: ${list(added)}` : '',
    changed.length > 0 ? `other values in ${list(changed)}` : '',
  ].filter((part) => part !== '')
  return parts.length > 0 ? parts.join('; ') : 'the same JSON, written in another way'
}

function list(paths: readonly string[]): string {
  const more = paths.length > SHOWN ? ` and ${paths.length - SHOWN} more` : ''
  return `${paths
    .slice(0, SHOWN)
    .map((path) => path || 'the value itself')
    .join(', ')}${more}`
}

/** What each event of an event stream calls itself. */
function eventsOf(text: string): string[] {
  return text
    .split(/\r?\n\r?\n/)
    .filter((block) => /^(?:data|event):/m.test(block))
    .map((block) => {
      const name = /^event: ?(.*)$/m.exec(block)?.[1]
      if (name !== undefined) return name.trim()
      const data = /^data: ?(.*)$/m.exec(block)?.[1] ?? ''
      const parsed = parseJson(data) as { type?: unknown; object?: unknown } | null | undefined
      const type = parsed?.type ?? parsed?.object
      return typeof type === 'string' ? type : data.startsWith('[') ? data.trim() : 'event'
    })
}

function describeEvents(a: readonly string[], b: readonly string[]): string {
  const [first, second] = [collapse(a), collapse(b)]
  const counts = `${a.length} and ${b.length} events`
  return first === second ? `${counts}, both ${first}` : `${counts}: ${first} straight, ${second} through the gateway`
}

/** Runs of the same name as one. */
function collapse(names: readonly string[]): string {
  const runs = names.filter((name, index) => name !== names[index - 1])
  return runs.length > SHOWN * 2 ? `${runs.slice(0, SHOWN * 2).join(', ')}, …` : runs.join(', ')
}
