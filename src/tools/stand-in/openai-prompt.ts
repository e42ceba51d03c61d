/** Reading prompts: what chat completions and responses have in common. */
import { isObject, type Json, objectsIn, stringOr } from './json.ts'
import { type Prompt, type Tool, type Turn, textsOf } from './reply.ts'

/** The functions among the tools. Chat completions have `{ type, function: { name, parameters } }`, responses have it flat. */
export function toolsOf(tools: unknown): Tool[] {
  return objectsIn(tools).flatMap((tool) => {
    const definition = isObject(tool.function) ? tool.function : tool
    if (tool.type !== 'function' || typeof definition.name !== 'string') return []
    return [{ name: definition.name, schema: definition.parameters }]
  })
}

export function toolChoiceOf(choice: unknown): Prompt['toolChoice'] {
  if (choice === 'none' || choice === 'required') return choice
  if (!isObject(choice)) return 'auto'
  const name = isObject(choice.function) ? choice.function.name : choice.name
  return typeof name === 'string' ? { name } : 'auto'
}

export function turnOf(message: Json): Turn {
  if (message.type === 'function_call_output') return { role: 'tool', texts: textsOf(message.output) }
  const role = stringOr(message.role, 'other')
  return { role: role === 'user' || role === 'tool' ? role : 'other', texts: textsOf(message.content) }
}
