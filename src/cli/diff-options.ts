import { parseTargetUrl } from '../config/compile/target-url.ts'
import type { DiffOptions } from '../tools/diff/job.ts'
import { DEFAULT_CONFIG_PATH, type GivenOptions, type OptionName, shownOption } from './usage.ts'

/** What `fluxgate diff` was asked to do: checked as far as the command line alone tells. */

/** The options, or what is wrong with them. */
export function readDiffOptions(given: GivenOptions): DiffOptions | string {
  const value = (option: OptionName): string | undefined => given.get(option)?.[0]
  const gateway = value('--gateway')
  const target = gateway === undefined ? undefined : parseTargetUrl(gateway)
  if (target !== undefined && 'wrong' in target) return invalid('--gateway', gateway!, target.wrong)
  const options: DiffOptions = {
    isDirect: given.has('--direct'),
    isStrict: given.has('--strict'),
    configPath: value('--config') ?? DEFAULT_CONFIG_PATH,
    upstream: value('--upstream'),
    gateway: target,
    gatewayCa: value('--gateway-ca'),
    keyFile: value('--key-file'),
    hasRequest: OF_THE_REQUEST.some((option) => given.has(option)),
    method: value('--method'),
    path: value('--path'),
    lines: given.get('--header') ?? [],
    bodyFile: value('--body'),
  }
  return findConflict(given) ?? findInvalid(options) ?? options
}

const OF_THE_REQUEST = ['--method', '--path', '--header', '--body'] as const

function invalid(option: OptionName, text: string, reason: string): string {
  return `invalid value '${text}' for '${shownOption(option)}': ${reason}`
}

/** Nothing that somebody has given is ignored. */
function findConflict(given: GivenOptions): string | undefined {
  const isDirect = given.has('--direct')
  if (isDirect && given.has('--strict')) return `the argument '--strict' cannot be used with '--direct'`
  if (given.has('--upstream')) return undefined
  const upstream = shownOption('--upstream')
  if (!isDirect) return `the following required arguments were not provided:\n  ${upstream}`
  for (const option of ['--config', '--gateway', '--gateway-ca', '--key-file'] as const) {
    if (given.has(option)) return `the argument '${shownOption(option)}' needs '${upstream}' beside it`
  }
  return undefined
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const FIELD_LINE = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\x00-\x08\x0a-\x1f\x7f]*$/

function findInvalid({
  configPath,
  gatewayCa,
  keyFile,
  method,
  path,
  lines,
  bodyFile,
}: DiffOptions): string | undefined {
  if (method !== undefined && !TOKEN.test(method)) return invalid('--method', method, 'is no method')
  if (path !== undefined && !/^[/?][\x21-\x22\x24-\x7e]*$/.test(path)) {
    return invalid('--path', path, 'must start with / and be visible ASCII without #; write other characters encoded')
  }
  // Not shown: it may hold a secret, and what it is printed to may be kept.
  if (!lines.every((line) => FIELD_LINE.test(line))) {
    return `invalid value for '${shownOption('--header')}': must be 'Name: value', on one line`
  }
  if (gatewayCa === '-') return invalid('--gateway-ca', '-', 'must be a file')
  if (keyFile === '-' && bodyFile === '-') {
    return `the argument '${shownOption('--key-file')}' cannot be stdin (-) when '${shownOption('--body')}' is`
  }
  if (configPath === '-' && (keyFile === '-' || bodyFile === '-')) {
    const other = shownOption(keyFile === '-' ? '--key-file' : '--body')
    return `the argument '${shownOption('--config')}' cannot be stdin (-) when '${other}' is`
  }
  return undefined
}
