import { fromLatin1, LOOK_BYTES, type ModelSeeker } from './model-seeker.ts'

/** The head of a part, or a name: more than that is neither. */
const MAX_HEAD = 2_048
const MAX_NAME = 512

/**
 * The `model` of a form (multipart/form-data, RFC 7578), in which a file of many megabytes may come before it. What looks
 * like a part within a file is none: parts begin behind a boundary.
 */
export function findInParts(contentType: string): ModelSeeker | undefined {
  const match = /boundary=(?:"([^"]{1,70})"|([^;\s]{1,70}))/i.exec(contentType)
  const boundary = match?.[1] ?? match?.[2]
  if (boundary === undefined) return undefined
  const delimiter = `\r\n--${boundary}`
  let seen = 0
  /** What has not been understood yet, as latin-1: short, since all else is skipped. A form may begin with its boundary. */
  let text = '\r\n'
  let state: 'skip' | 'head' | 'name' = 'skip'
  let model: string | null | undefined

  const stepSkip = (): boolean => {
    const at = text.indexOf(delimiter)
    if (at === -1) {
      text = text.slice(-delimiter.length + 1)
      return false
    }
    const next = text.slice(at + delimiter.length)
    if (next.length < 2) {
      text = text.slice(at)
      return false
    }
    if (next.startsWith('--')) model = null
    text = next
    state = 'head'
    return true
  }
  const stepHead = (): boolean => {
    const end = text.indexOf('\r\n\r\n')
    if (end === -1) {
      if (text.length > MAX_HEAD) model = null
      return false
    }
    const isModel = /^content-disposition:[^\r\n]*;\s*name="?model"?\s*(?:;|$)/im.test(text.slice(0, end))
    // The empty line may be followed by a boundary at once.
    text = text.slice(end + 2)
    state = isModel ? 'name' : 'skip'
    return true
  }
  const stepName = (): boolean => {
    const end = text.indexOf(delimiter)
    if (end === -1) {
      if (text.length > MAX_NAME + delimiter.length) model = null
      return false
    }
    const value = text.slice(2, Math.max(2, end))
    model = value === '' || value.length > MAX_NAME ? null : fromLatin1(value)
    return false
  }

  return {
    get model() {
      return model
    },
    add(bytes) {
      if (model !== undefined) return
      const to = Math.min(bytes.length, LOOK_BYTES - seen)
      seen += to
      text += bytes.toString('latin1', 0, to)
      const steps = { skip: stepSkip, head: stepHead, name: stepName }
      while (model === undefined && steps[state]()) {}
      if (seen >= LOOK_BYTES) model ??= null
      if (model !== undefined) text = ''
    },
    release() {
      model ??= null
      text = ''
    },
  }
}
