import { FAMILIES, type FamilyKind } from '../../src/metrics/families.ts'
import { processFamilies } from '../../src/metrics/process-families.ts'

/** Of a family, as queries may use it. */
export interface KnownMetric {
  readonly isHistogram: boolean
  readonly labels: readonly string[]
}

const plain = (...labels: readonly string[]): KnownMetric => ({ isHistogram: false, labels })

/** Every name that a dashboard, a rule or a page may use. */
export const KNOWN_METRICS: ReadonlyMap<string, KnownMetric> = new Map([
  ...processFamilies().map(({ name }) => [name, plain()] as const),
  ...Object.entries(FAMILIES as Readonly<Record<string, FamilyKind>>)
    .filter(([, { isInner }]) => !isInner)
    .map(([name, { type, labels }]) => [name, { isHistogram: type === 'histogram', labels }] as const),
])

/** What Prometheus itself puts on a series. */
const OF_THE_SCRAPE = ['job', 'instance']

/** What is wrong with the metrics of a text: names that there are none of, and labels that they do not have. */
export function metricProblems(text: string): string[] {
  const problems: string[] = []
  for (const [, name, matchers] of text.matchAll(/\b((?:fluxgate|process|nodejs)_[a-z0-9_]+)\b(?:\{([^}]*)\})?/g)) {
    const family = name!.replace(/_(?:bucket|sum|count)$/, '')
    const metric = KNOWN_METRICS.get(name!) ?? KNOWN_METRICS.get(family)
    if (
      metric === undefined ||
      (metric.isHistogram && family === name) ||
      (!metric.isHistogram && !KNOWN_METRICS.has(name!))
    ) {
      problems.push(name!)
      continue
    }
    const labels = new Set([...metric.labels, ...OF_THE_SCRAPE, ...(name!.endsWith('_bucket') ? ['le'] : [])])
    for (const [, label] of (matchers ?? '').matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g))
      if (!labels.has(label!)) problems.push(`${name}{${label}}`)
  }
  return problems
}
