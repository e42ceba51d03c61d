/** Prometheus text format 0.0.4 and OpenMetrics 1.0. */

export interface Sample {
  readonly suffix?: string
  /** The same object for the same series, wherever that is easy: its text is kept. */
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Family {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly samples: Iterable<Sample>
}

export const CONTENT_TYPES = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
} as const

/** Line after line, each with its line break. */
export function* expose(families: Iterable<Family>, format: keyof typeof CONTENT_TYPES): Generator<string> {
  const isOpen = format === 'openmetrics'
  for (const { name, type, help, samples } of families) {
    // OpenMetrics gives the family of a counter the name without its suffix, and demands the suffix of its samples.
    const family = isOpen && type === 'counter' ? name.replace(/_total$/, '') : name
    const sampleName = isOpen && type === 'counter' ? `${family}_total` : name
    let isFirst = true
    for (const { suffix = '', labels, value } of samples) {
      if (isFirst) yield `# HELP ${family} ${escapeHelp(help, isOpen)}\n# TYPE ${family} ${type}\n`
      isFirst = false
      const text = isOpen && suffix === '_bucket' ? labelText(canonical(labels)) : labelText(labels)
      yield `${sampleName}${suffix}${text} ${numberText(value)}\n`
    }
  }
  if (isOpen) yield '# EOF\n'
}

/** OpenMetrics writes a bound as a float. */
function canonical(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return /^\d+$/.test(labels['le'] ?? '') ? { ...labels, le: `${labels['le']}.0` } : labels
}

const texts = new WeakMap<object, string>()

function labelText(labels: Readonly<Record<string, string>>): string {
  let text = texts.get(labels)
  if (text === undefined) {
    const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
    text = pairs.length === 0 ? '' : `{${pairs.join(',')}}`
    texts.set(labels, text)
  }
  return text
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function escapeHelp(help: string, isOpen: boolean): string {
  const text = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
  return isOpen ? text.replaceAll('"', '\\"') : text
}

/** As Go's parser takes them. */
function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  if (value === Number.NEGATIVE_INFINITY) return '-Inf'
  return String(value)
}
