/** What is wrong with a configuration, and where. No value of the file is ever part of it: it could be a secret. */
export interface Problem {
  /** The configuration file as it was named to us. */
  readonly file: string
  /** From 1; undefined where the file as a whole is meant. */
  readonly line: number | undefined
  readonly column: number | undefined
  /** Such as `upstreams.openai.target_url`; empty where there is none. */
  readonly path: string
  /** What is wrong, and what would be right. */
  readonly text: string
}

/** Where something stands in the document: keys and list indexes from the top. */
export type Path = readonly (string | number)[]

/** A name that needs no quotes in a path. */
const PLAIN_NAME = /^[A-Za-z0-9_-]+$/

/** As a person would write it: `api_keys.static[1].key`. Unusual names are quoted, so that a path is one line, and one only. */
export function formatPath(path: Path): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else if (!PLAIN_NAME.test(part)) text += `[${JSON.stringify(part)}]`
    else text += text === '' ? part : `.${part}`
  }
  return text
}

/** `fluxgate.yaml:12:5: upstreams.openai.target_url: what is wrong` */
export function formatProblem(problem: Problem): string {
  const place = problem.line === undefined ? problem.file : `${problem.file}:${problem.line}:${problem.column}`
  return problem.path === '' ? `${place}: ${problem.text}` : `${place}: ${problem.path}: ${problem.text}`
}

/** A log line has an end. */
const MAX_IN_SUMMARY = 50

/** All problems in one line for the log. */
export function summarizeProblems(problems: readonly Problem[]): string {
  return problemLines(problems).join('; ')
}

/** One line for each, up to a number that the log can take. */
export function problemLines(problems: readonly Problem[]): readonly string[] {
  const shown = problems.slice(0, MAX_IN_SUMMARY).map(formatProblem)
  const hidden = problems.length - shown.length
  if (hidden > 0) shown.push(`and ${hidden} more`)
  return shown
}

/** In the order of the file. */
export function byPlace(a: Problem, b: Problem): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)
}
