import { FIELD } from '../http/fields.ts'
import type { FieldLine, LineEdit, ResponseHead } from '../http/message.ts'
import { listMembers } from './field-section.ts'

/** The switch to WebSocket (RFC 6455 section 4, RFC 9110 section 7.8), the only one that is relayed. */

const REMOVED = ''

/** The line of `Connection` or `Upgrade` in a request that offers WebSocket: what concerns that goes on, and nothing else. */
export function upgradeEdit(text: string, line: FieldLine): LineEdit {
  const value = text.slice(line.valueStart, line.valueEnd)
  const wanted = line.field === FIELD.upgrade ? 'websocket' : 'upgrade'
  const members = listMembers(value)
  if (!members.includes(wanted)) return REMOVED
  // Browsers send `keep-alive, Upgrade`, which says nothing more.
  if (members.every((member) => member === wanted || (line.field === FIELD.connection && member === 'keep-alive'))) {
    return undefined
  }
  const own = value.split(',').find((member) => member.trim().toLowerCase() === wanted)!
  return text.slice(line.start, line.valueStart) + own.trim() + text.slice(line.valueEnd, line.next)
}

/** Whether a 101 is the switch that was offered. Through another protocol (h2c, say) requests would pass that nobody looks at. */
export function switchesToWebSocket({ isHttp10, text, lines }: ResponseHead): boolean {
  const upgrades: string[] = []
  let hasOption = false
  for (const { field, valueStart, valueEnd } of lines) {
    const members =
      field === FIELD.upgrade || field === FIELD.connection ? listMembers(text.slice(valueStart, valueEnd)) : []
    if (field === FIELD.upgrade) upgrades.push(...members)
    else if (members.includes('upgrade')) hasOption = true
  }
  return !isHttp10 && hasOption && upgrades.length === 1 && upgrades[0] === 'websocket'
}
