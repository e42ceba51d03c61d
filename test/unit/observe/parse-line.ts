import assert from 'node:assert/strict'

/** What an operator's tool makes of a line: its time, level and message, and its fields as strings, in order. */
export interface ParsedLine {
  readonly time: string
  readonly level: string
  readonly message: string
  readonly fields: readonly (readonly [string, string])[]
}

const HEAD = /^(\S+) ([A-Z]+) /
const FIELD = / ([a-z_]+)=("(?:[^"\\]|\\.)*"|[^\s"]+)/y

/** `message` has to be known: in the text format only the fields behind it are delimited. */
export function parseText(line: string, message: string): ParsedLine {
  assert.ok(line.endsWith('\n'))
  const [head, time, level] = HEAD.exec(line) ?? []
  assert.ok(head !== undefined && time !== undefined && level !== undefined, line)
  assert.equal(line.slice(head.length, head.length + message.length), message)
  const fields: [string, string][] = []
  FIELD.lastIndex = head.length + message.length
  let end = FIELD.lastIndex
  for (let match = FIELD.exec(line); match !== null; match = FIELD.exec(line)) {
    const value = match[2]!
    fields.push([match[1]!, value.startsWith('"') ? JSON.parse(value) : value])
    end = FIELD.lastIndex
  }
  assert.equal(line.slice(end), '\n', `all of the line is fields: ${JSON.stringify(line)}`)
  return { time, level, message, fields }
}

export function parseJson(line: string): ParsedLine {
  assert.ok(line.endsWith('}\n'))
  const { time, level, message, ...rest } = JSON.parse(line)
  assert.deepEqual(Object.keys(JSON.parse(line)).slice(0, 3), ['time', 'level', 'message'])
  return { time, level, message, fields: Object.entries(rest).map(([name, value]) => [name, String(value)]) }
}

/** Holds for every line of either format: one line, and nothing in it that a terminal would obey. */
export function assertOneLine(line: string): void {
  assert.match(line, /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]*\n$/)
  assert.ok(line.isWellFormed())
}
