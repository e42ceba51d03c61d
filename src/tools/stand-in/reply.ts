/** What the stand-in says. It has no model: it tells what it understood, or calls a tool when it is asked to. */
import { createHash } from 'node:crypto'
import { isObject, type Json } from './json.ts'
import { type Model, modelNamed } from './models.ts'
import type { Refusal } from './refusal.ts'

export interface Turn {
  readonly role: 'user' | 'tool' | 'other'
  readonly texts: readonly string[]
}

export interface Tool {
  readonly name: string
  /** JSON Schema of its arguments. */
  readonly schema: unknown
}

export interface Prompt {
  readonly model: string
  readonly turns: readonly Turn[]
  readonly tools: readonly Tool[]
  /** `auto`: when the user asks for it. An object forces that tool. */
  readonly toolChoice: 'auto' | 'none' | 'required' | { readonly name: string }
  readonly maxTokens: number | undefined
}

export interface Reply {
  readonly modelName: string
  readonly model: Model
  readonly inputTokens: number
  /** The tool that is called; the pieces are then its arguments in JSON. */
  readonly tool: string | undefined
  /** One for each token; joined, they are the whole. */
  readonly pieces: readonly string[]
  readonly text: string
  readonly isTruncated: boolean
}

const SIGNATURE = 'This is the stand-in provider that comes with Fluxgate: no model was asked, and nothing was charged.'
/** As much of a text as is repeated: by code point, since half a surrogate pair does not survive UTF-8. */
const BEGINNING = /^.{0,400}/su
const SCHEMA_DEPTH = 8

export function compose(prompt: Prompt): Reply | Refusal {
  const model = modelNamed(prompt.model)
  if (model.refusal) return model.refusal
  const base = { modelName: prompt.model, model, inputTokens: wordsIn(prompt.turns.flatMap((turn) => turn.texts)) }
  const tool = toolAskedFor(prompt)
  if (tool) {
    const text = JSON.stringify(argumentsFor(tool))
    return { ...base, tool: tool.name, text, pieces: text.match(/.{1,8}/gsu) ?? [], isTruncated: false }
  }
  const all = `${understood(prompt)}\n\n${SIGNATURE}`.match(/\S+\s*/g) ?? []
  const pieces = all.slice(0, prompt.maxTokens)
  return { ...base, tool: undefined, text: pieces.join(''), pieces, isTruncated: pieces.length < all.length }
}

/** Tokens are words here. */
export function wordsIn(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + (text.match(/\S+/g)?.length ?? 0), 0)
}

/** The texts of a message, however an API writes it: a string, or parts with a `text` or with another such `content`. */
export function textsOf(content: unknown): string[] {
  if (typeof content === 'string') return [content]
  if (!Array.isArray(content)) return []
  return content.flatMap((part: unknown) => {
    if (typeof part === 'string') return [part]
    if (!isObject(part)) return []
    return typeof part.text === 'string' ? [part.text] : textsOf(part.content)
  })
}

/** The variable part of an answer's identifiers: the same request has the same answer. */
export function fingerprint(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex').slice(0, 24)
}

function understood(prompt: Prompt): string {
  const last = prompt.turns.at(-1)
  if (last?.role === 'tool') return `The tool answered: ${shortened(last.texts.join(' '))}`
  const said = lastWords(prompt)
  return said === '' ? 'You said nothing that I can read.' : `You said: ${shortened(said)}`
}

/** The last part of the last message: clients put their own reminders before it. */
function lastWords(prompt: Prompt): string {
  return (
    prompt.turns
      .findLast((turn) => turn.role === 'user')
      ?.texts.at(-1)
      ?.trim() ?? ''
  )
}

function shortened(text: string): string {
  const start = BEGINNING.exec(text)?.[0] ?? ''
  return start.length < text.length ? `${start}…` : text
}

function toolAskedFor(prompt: Prompt): Tool | undefined {
  const { toolChoice, tools } = prompt
  // Never after a tool's answer, or a client that forces tools would be kept in a loop.
  if (toolChoice === 'none' || prompt.turns.at(-1)?.role !== 'user') return undefined
  if (typeof toolChoice === 'object') return tools.find((tool) => tool.name === toolChoice.name)
  const words = new Set(lastWords(prompt).match(/[\p{L}\p{N}_.-]*[\p{L}\p{N}_]/gu))
  const named = tools.find((tool) => words.has(tool.name))
  if (named || toolChoice === 'required') return named ?? tools[0]
  return ['tool', 'Tool', 'tools', 'Tools'].some((word) => words.has(word)) ? tools[0] : undefined
}

function argumentsFor(tool: Tool): Json {
  const example = exampleOf(tool.schema, 0)
  return isObject(example) ? example : {}
}

/** A value that a schema allows, for the few keywords that matter in tool definitions. */
function exampleOf(schema: unknown, depth: number): unknown {
  if (!isObject(schema) || depth > SCHEMA_DEPTH) return 'stand-in'
  if (Array.isArray(schema.enum) && schema.enum.length > 0) return schema.enum[0]
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type
  switch (typeof type === 'string' ? type.toLowerCase() : 'object') {
    case 'object': {
      const properties = isObject(schema.properties) ? schema.properties : {}
      const names = Array.isArray(schema.required) ? schema.required.map(String) : Object.keys(properties)
      return Object.fromEntries(names.map((name) => [name, exampleOf(properties[name], depth + 1)]))
    }
    case 'array':
      return []
    case 'number':
    case 'integer':
      return 1
    case 'boolean':
      return true
    case 'null':
      return null
    default:
      return 'stand-in'
  }
}
