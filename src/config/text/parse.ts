/** YAML text → tree with positions, or everything that keeps it from being one. */
import { type ErrorCode, parseDocument } from 'yaml'
import type { TextFault } from './decode.ts'
import { resolveReferences } from './resolve-references.ts'
import { isUnclosedQuote, rootCauses } from './root-causes.ts'
import type { Tree } from './tree.ts'

export interface Parsed {
  /** Undefined for an empty document. */
  readonly root: Tree | undefined
  readonly faults: readonly TextFault[]
  /** Offset → line and column, both from 1. */
  position(offset: number): { readonly line: number; readonly column: number }
}

/** A person mends the first ones first. */
const MAX_FAULTS = 10

const TOO_DEEP = 'is nested too deeply'

export function parse(text: string): Parsed {
  const position = positionsIn(text)
  const faults: TextFault[] = []
  const fault = (offset: number, text: string) => {
    if (faults.length < MAX_FAULTS) faults.push({ ...position(offset), text })
  }
  const read = (text: string) =>
    parseDocument(text, {
      version: '1.2',
      schema: 'core',
      merge: false,
      uniqueKeys: false,
      intAsBigInt: true,
      prettyErrors: false,
    })
  let root: Tree | undefined
  try {
    // Merge keys, double keys and aliases are ours (`resolve-references.ts`): the library's own checks take quadratic
    // time or refuse more than a hundred upstreams that share one alias. A float is told from an integer by its type.
    const document = read(text)
    for (const error of rootCauses(text, document.errors, (changed) => read(changed).errors)) {
      fault(error.at, error.slip ?? faultText(error.code, error.message))
    }
    for (const warning of document.warnings) {
      if (warning.code === 'TAG_RESOLVE_FAILED') fault(warning.pos[0], faultText(warning.code, ''))
    }
    if (faults.length === 0) root = resolveReferences(document.contents, fault, (offset) => placeText(position(offset)))
  } catch (error) {
    // A stack that is full, or a bug of the library: neither may end a gateway that is serving.
    fault(0, error instanceof RangeError ? TOO_DEEP : TEXTS.IMPOSSIBLE)
  }
  return { root, faults, position }
}

function placeText({ line, column }: ReturnType<Parsed['position']>): string {
  return `${line}:${column}`
}

/** Our own count: the library's misses line breaks after a malformed token. */
function positionsIn(text: string): Parsed['position'] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return (offset) => {
    // The last start that is not behind the offset: files have thousands of warnings, and traffic waits for them.
    let [first, end] = [0, starts.length]
    while (end - first > 1) {
      const middle = (first + end) >> 1
      if (starts[middle]! <= offset) first = middle
      else end = middle
    }
    return { line: first + 1, column: offset - starts[first]! + 1 }
  }
}

/** In our own words: the library's quote the file, and what they quote could be a secret. */
function faultText(code: ErrorCode, message: string): string {
  if (isUnclosedQuote(code, message)) return 'a quote opens here that is not closed'
  if (message.startsWith('Sequence item without')) return TEXTS.BAD_INDENT
  return TEXTS[code]
}

const TEXTS: Readonly<Record<ErrorCode, string>> = {
  ALIAS_PROPS: 'an alias (*name) can have neither an anchor nor a tag',
  BAD_ALIAS: 'an alias or anchor has no name',
  BAD_COLLECTION_TYPE: 'a tag does not fit the value after it',
  BAD_DIRECTIVE: 'a directive (a line that starts with %) is malformed; put the value in quotes if it is none',
  BAD_DQ_ESCAPE: 'an escape in double quotes is not valid; use single quotes to write a backslash as it is',
  BAD_INDENT: 'the indentation does not fit the lines above, or a bracket is not closed',
  BAD_PROP_ORDER: 'an anchor or tag stands before its indicator instead of after it',
  BAD_SCALAR_START: 'a value cannot start with this character unless it is in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a mapping or list cannot start here; put a value with a colon in quotes',
  BLOCK_IN_FLOW: 'within brackets or braces, mappings and lists need brackets or braces too',
  DUPLICATE_KEY: 'a key stands twice in this mapping',
  IMPOSSIBLE: 'cannot be read as YAML',
  KEY_OVER_1024_CHARS: 'a key is longer than 1024 characters',
  MISSING_CHAR: 'a colon, comma, bracket or blank is missing here',
  MULTILINE_IMPLICIT_KEY:
    'a key goes over more than one line; perhaps a colon is missing after it, or the blank after the colon',
  MULTIPLE_ANCHORS: 'a value can have one anchor only',
  MULTIPLE_DOCS: 'a second document starts here; the file must hold one',
  MULTIPLE_TAGS: 'a value can have one tag only',
  NON_STRING_KEY: 'a key must be text; put a value that begins with a brace or bracket in quotes',
  RESOURCE_EXHAUSTION: TOO_DEEP,
  TAB_AS_INDENT: 'a tab is used as indentation; YAML wants blanks',
  TAG_RESOLVE_FAILED: 'tags (a word that starts with !) are not supported; put the value in quotes if it is none',
  UNEXPECTED_TOKEN: 'something stands here that YAML does not expect; put the value in quotes',
}
