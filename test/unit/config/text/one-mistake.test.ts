import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { linesOf, loadInvalid } from '../configuration-folder.ts'

// One slip of the keyboard is one problem, at its place. Several are several.

const UPSTREAM = `  openai:
    request_path: /openai
    target_url: https://api.openai.com
    api_key: provider-key
`
const KEYS = `api_keys:
  static:
    - key: fgk_0123456789abcdef
      upstreams: [openai]
    - key: fgk_fedcba9876543210
      upstreams: [openai]
`
const GOOD = `version: 1\nupstreams:\n${UPSTREAM}${KEYS}`

const TAB = 'a tab is used as indentation; YAML wants blanks'
const QUOTE = 'a quote opens here that is not closed'
const COLON = 'a key goes over more than one line; perhaps a colon is missing after it, or the blank after the colon'
const INDENT = 'the indentation does not fit the lines above, or a bracket is not closed'
const NO_VALUE = 'a mapping or list cannot start here; put a value with a colon in quotes'
const TOO_FAR = 'is indented too far: the line above has a value already'
const BLANK = 'a blank stands here that YAML does not know, such as web pages have; type it anew'
const LIST = '; dashes and square brackets make a list of it'
const OUTDENTED = 'has nothing below it; request_path and what follows must be indented further than the name'

const slips: Readonly<Record<string, readonly [from: string | RegExp, to: string, lines: readonly string[]]>> = {
  'one line begins with a tab': ['    request_path', '\trequest_path', [`4:1: ${TAB}`]],
  'a tab before blanks': ['    request_path', '\t  request_path', [`4:1: ${TAB}`]],
  'all lines are indented by tabs': [/^ +/gm, '\t\t', [`3:1: ${TAB}`]],
  'a double quote is not closed': ['/openai\n', '"/openai\n', [`4:19: ${QUOTE}`]],
  'a single quote is not closed': ['/openai\n', "'/openai\n", [`4:19: ${QUOTE}`]],
  'a quote is not closed before others': [
    '/openai\n    target_url: https://api.openai.com',
    '"/openai\n    target_url: "https://api.openai.com"',
    [`4:19: ${QUOTE}`],
  ],
  'a colon is missing after a name': ['  openai:', '  openai', [`3:3: ${COLON}`]],
  'a colon is missing after a section': ['upstreams:', 'upstreams', [`2:1: ${COLON}`]],
  'a colon is missing after a key': ['request_path:', 'request_path', [`4:5: ${COLON}`]],
  'a line is indented too little': ['    target_url', '   target_url', [`5:1: ${INDENT}`]],
  'a line is indented too far': ['    target_url', '      target_url', [`5:7: ${TOO_FAR}`]],
  'a line is indented too far, behind an empty one': ['    target_url', '\n      target_url', [`6:7: ${TOO_FAR}`]],
  'a line of a list is indented too little': [
    '      upstreams: [openai]\n    -',
    '     upstreams: [openai]\n    -',
    [`10:1: ${INDENT}`],
  ],
  'a blank is missing after a dash': [
    /- key/g,
    '-key',
    ['9:5: a blank is missing after the dash', '11:5: a blank is missing after the dash'],
  ],
  'a blank is missing after a colon': ['version: 1', 'version:1', [`1:1: ${COLON}`]],
  'a value with a colon has no quotes': ['key: provider-key', 'key: env: NAME', [`6:14: ${NO_VALUE}`]],
  'a line is indented by no-break spaces': ['    target_url', '\u00a0\u00a0\u00a0\u00a0target_url', [`5:1: ${BLANK}`]],
  'a no-break space stands behind a colon': ['request_path: ', 'request_path:\u00a0', [`4:18: ${BLANK}`]],
  'a no-break space in a last line without an end': [
    /api_keys[\s\S]*/,
    'server:\n  max_connections: 5\n  socket_mode:\u00a0"0660"',
    [`9:15: ${BLANK}`],
  ],
  'a merge has been left unfinished': [
    'upstreams:',
    '<<<<<<< HEAD\nupstreams:',
    ['2:1: a merge conflict has been left in the file'],
  ],
  'a merge has been left half finished': [
    'api_keys:',
    '=======\napi_keys:',
    ['7:1: a merge conflict has been left in the file'],
  ],
  'a bracket is not closed': ['[openai]\n    - key', '[openai\n    - key', [`11:5: ${INDENT}`]],
  'a key stands twice, with something else below': [
    '    target_url',
    '    request_path: [1]\n    target_url',
    ['5:5: this key stands twice in one mapping (first at 4:5)'],
  ],
  'the keys of an upstream stand beside its name': [
    /^ {4}(?=request|target|api_key:)/gm,
    '  ',
    [`3:3: upstreams.openai: ${OUTDENTED}`],
  ],
  'an upstream is empty, and another one is called like a key': [
    / {2}openai:[\s\S]*/,
    '  openai:\n  tls: { request_path: /t, target_url: "http://t" }\n',
    ['3:3: upstreams.openai: must be an upstream: a mapping with request_path and target_url'],
  ],
  'upstreams are a list': [/ {2}openai:\n {4}/, '  - ', [`2:1: upstreams: must be a mapping${LIST}`]],
  'upstreams are a text': [
    /upstreams:\n[\s\S]*?(?=api_keys)/,
    'upstreams: openai\n',
    ['2:1: upstreams: must be a mapping'],
  ],
  'there are no upstreams': [
    /upstreams:\n[\s\S]*?(?=api_keys)/,
    '',
    ['5:19: api_keys.static[0].upstreams[0]: is not the name of a configured upstream'],
  ],
  'keys have names in the place of dashes': [
    /- key: fgk_0[\s\S]*/,
    'me:\n      key: fgk_0123456789abcdef\n',
    ['8:3: api_keys.static: must be a list of keys; each item needs a dash in the place of a name'],
  ],
  'keys are a list': [/ {2}static:\n/, '', [`7:1: api_keys: must be a mapping${LIST}`]],
  'allow_anonymous is no flag': [
    /upstreams[\s\S]*/,
    'server: { allow_anonymous: "yes" }\nupstreams: { a: { request_path: /a, target_url: "http://a", api_key: "" } }\n',
    ['2:11: server.allow_anonymous: must be true or false'],
  ],
  'three values begin with what no value begins with': [
    /upstreams[\s\S]*/,
    'server:\n  bind_address: @a\n  max_connections: %1\n  allow_anonymous: `x`\n',
    [3, 4, 5].map((line, index) => {
      const column = [17, 20, 20][index]
      return `${line}:${column}: a value cannot start with this character unless it is in quotes`
    }),
  ],
}

describe('one mistake is one problem:', () => {
  for (const [what, [from, to, lines]] of Object.entries(slips)) {
    test(what, (t) => {
      const text = GOOD.replace(from as string, to)
      assert.notEqual(text, GOOD)
      assert.deepEqual(
        linesOf(loadInvalid(t, text).problems),
        lines.map((line) => `fluxgate.yaml:${line}`),
      )
    })
  }

  test('two mistakes are two', (t) => {
    const text = GOOD.replace('    request_path', '\trequest_path').replace('fgk_fed', '"fgk_fed')
    assert.deepEqual(linesOf(loadInvalid(t, text).problems), [
      `fluxgate.yaml:4:1: ${TAB}`,
      `fluxgate.yaml:11:12: ${QUOTE}`,
    ])
  })
})
