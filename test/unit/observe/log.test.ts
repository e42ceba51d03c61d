import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { announce, EVENTS } from '../../../src/observe/events.ts'
import { createLog, formatEvent, jsonName, LEVELS, type LogSettings } from '../../../src/observe/log.ts'
import { readLogEnvironment } from '../../../src/observe/logging.ts'
import { anyText } from './any-text.ts'
import { assertOneLine, parseJson, parseText } from './parse-line.ts'

const TEXT: LogSettings = { level: 'trace', format: 'text', colour: false }
const JSON_LINES: LogSettings = { level: 'trace', format: 'json', colour: false }

describe('an event', () => {
  test('is time, level, message and fields in text', () => {
    const line = formatEvent(TEXT, 'warn', 'Failed to bind to address', { address: '0.0.0.0:80', error: 'no "luck"\n' })
    assert.match(line.slice(0, 27), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    assert.equal(line.slice(27), ' WARN Failed to bind to address address=0.0.0.0:80 error="no \\"luck\\"\\n"\n')
  })

  test('is an object that begins with time, level and message in JSON', () => {
    const line = formatEvent(JSON_LINES, 'warn', 'Log "records" dropped', { count: 7, last: true, error: 'a\nb' })
    assert.match(line, /^\{"time":"[^"]{27}","level":"WARN","message":"Log \\"records\\" dropped",/)
    assert.match(line, /,"count":7,"last":true,"error":"a\\nb"\}\n$/)
  })

  test('leaves undefined fields out', () => {
    assert.match(formatEvent(TEXT, 'info', 'm', { a: undefined, b: 1 }), / INFO m b=1\n$/)
    assert.match(formatEvent(JSON_LINES, 'info', 'm', { a: undefined, b: 1 }), /"message":"m","b":1\}\n$/)
  })

  test('stays JSON with numbers that JSON does not have', () => {
    assert.equal(parseJson(formatEvent(JSON_LINES, 'info', 'm', { a: Number.NaN })).fields[0]![1], 'NaN')
  })

  test('is coloured at its level only, and never in JSON', () => {
    assert.match(
      formatEvent({ ...TEXT, colour: true }, 'error', 'm', { a: 1 }),
      /Z \u001b\[31mERROR\u001b\[0m m a=1\n$/,
    )
    assert.doesNotMatch(formatEvent({ ...JSON_LINES, colour: true }, 'error', 'm', {}), /\u001b/)
  })

  test('has a severity for Google Cloud', () => {
    const line = formatEvent({ ...JSON_LINES, format: 'gcp' }, 'warn', 'Log records dropped', { count: 7 })
    assert.match(line, /^\{"time":"[^"]{27}","severity":"WARNING","message":"Log records dropped","count":7\}\n$/)
    const severities = LEVELS.map(
      (level) => JSON.parse(formatEvent({ ...JSON_LINES, format: 'gcp' }, level, 'm')).severity,
    )
    assert.deepEqual(severities, ['DEBUG', 'DEBUG', 'INFO', 'WARNING', 'ERROR'])
  })

  test('calls a status so in text, and in JSON what no log system takes for a severity', () => {
    const fields = { path: 'a', status: 'applied' }
    assert.match(formatEvent(TEXT, 'info', 'm', fields), / path=a status=applied\n$/)
    for (const format of ['json', 'gcp'] as const) {
      assert.match(formatEvent({ ...TEXT, format }, 'info', 'm', fields), /,"path":"a","result":"applied"\}\n$/)
    }
  })

  test('is one line that no terminal obeys, whatever it says', () => {
    fc.assert(
      fc.property(anyText(), anyText(), anyText(), (message, name, value) => {
        for (const settings of [TEXT, JSON_LINES])
          assertOneLine(formatEvent(settings, 'info', message, { [name]: value }))
      }),
    )
  })

  test('says the same in both formats', () => {
    const message = 'something happened'
    fc.assert(
      fc.property(anyText(), fc.integer(), fc.boolean(), (error, count, last) => {
        const fields = { error, count, last }
        const text = parseText(formatEvent(TEXT, 'info', message, fields), message)
        assert.deepEqual(text.fields, parseJson(formatEvent(JSON_LINES, 'info', message, fields)).fields)
        assert.deepEqual(
          text.fields,
          Object.entries(fields).map(([name, value]) => [name, String(value)]),
        )
      }),
    )
  })
})

describe('the level', () => {
  for (const [index, level] of LEVELS.entries()) {
    test(`${level} writes itself and what is more important`, () => {
      const lines: string[] = []
      const log = createLog({ ...TEXT, level }, (line) => lines.push(line))
      for (const each of LEVELS) log[each](`at ${each}`)
      const expected = LEVELS.slice(index)
      assert.deepEqual(
        lines.map((line) => line.slice(28)),
        expected.map((each) => `${each.toUpperCase()} at ${each}\n`),
      )
      assert.deepEqual(
        LEVELS.filter((each) => log.isEnabled(each)),
        expected,
      )
    })
  }
})

test('an event of the table is logged at its level, with its subject in place', () => {
  const lines: string[] = []
  announce(
    createLog(TEXT, (line) => lines.push(line)),
    EVENTS.stopping,
    {},
    'SIGTERM',
  )
  assert.equal(lines[0]!.slice(28), 'INFO Shutdown signal received (SIGTERM); shutting down proxy\n')
})

const ENVIRONMENTS: readonly (readonly [
  env: Record<string, string>,
  isTerminal: boolean,
  settings: string,
  unknown: string,
])[] = [
  [{}, false, 'trace text plain', ''],
  [{}, true, 'trace text colour', ''],
  [{ FLUXGATE_LOG: 'warn', FLUXGATE_LOG_FORMAT: 'json', FLUXGATE_LOG_STYLE: 'always' }, false, 'warn json colour', ''],
  [{ FLUXGATE_LOG: 'INFO', FLUXGATE_LOG_FORMAT: 'Text', FLUXGATE_LOG_STYLE: 'NEVER' }, true, 'info text plain', ''],
  [{ FLUXGATE_LOG_STYLE: 'auto' }, true, 'trace text colour', ''],
  [{ FLUXGATE_LOG_FORMAT: 'GCP' }, false, 'trace gcp plain', ''],
  [{ NO_COLOR: '1' }, true, 'trace text plain', ''],
  [{ NO_COLOR: '', TERM: 'xterm' }, true, 'trace text colour', ''],
  [{ TERM: 'dumb', FLUXGATE_LOG_STYLE: 'auto' }, true, 'trace text plain', ''],
  [{ NO_COLOR: '1', TERM: 'dumb', FLUXGATE_LOG_STYLE: 'always' }, true, 'trace text colour', ''],
  [{ FLUXGATE_LOG: '', FLUXGATE_LOG_FORMAT: '' }, false, 'trace text plain', ''],
  [{ FLUXGATE_LOG: 'verbose' }, false, 'trace text plain', 'FLUXGATE_LOG=verbose (trace|debug|info|warn|error)'],
  [
    { FLUXGATE_LOG_FORMAT: 'xml', FLUXGATE_LOG_STYLE: 'pink' },
    false,
    'trace text plain',
    'FLUXGATE_LOG_STYLE=pink (auto|always|never), FLUXGATE_LOG_FORMAT=xml (text|json|gcp)',
  ],
]

test('in JSON nothing but the level looks like one, of no event', () => {
  const taken = /^(?:.*status|.*severity|.*level|lvl|.*priority|time|timestamp|date|message|msg)$/i
  for (const { message, fields } of Object.values(EVENTS)) {
    for (const name of fields) assert.doesNotMatch(jsonName(name), taken, message)
  }
})

describe('the environment', () => {
  for (const [env, isTerminal, expected, expectedUnknown] of ENVIRONMENTS) {
    test(`${JSON.stringify(env)} ${isTerminal ? 'on' : 'off'} a terminal gives ${expected}`, () => {
      const { settings, unknown } = readLogEnvironment(env, isTerminal)
      assert.equal(`${settings.level} ${settings.format} ${settings.colour ? 'colour' : 'plain'}`, expected)
      assert.equal(unknown.map((u) => `${u.name}=${u.value} (${u.expected})`).join(', '), expectedUnknown)
    })
  }
})
