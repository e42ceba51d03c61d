import { spawnSync } from 'node:child_process'

/** Programs that a run may need: how to see that one is there, and Debian's package of it. */
const PROGRAMS = {
  nginx: { flag: '-v', debian: 'nginx' },
  haproxy: { flag: '-v', debian: 'haproxy' },
  taskset: { flag: '--version', debian: 'util-linux' },
} as const

export type Program = keyof typeof PROGRAMS

/** What a program says about its version, or nothing if it is not installed. */
export function versionOf(program: Program): string | undefined {
  const { stdout, stderr, error } = spawnSync(program, [PROGRAMS[program].flag], { encoding: 'utf8' })
  return error === undefined ? (/\d+(?:\.\d+)+/.exec(stdout + stderr)?.[0] ?? 'unknown') : undefined
}

export function isInstalled(program: Program): boolean {
  return versionOf(program) !== undefined
}

export function howToInstall(programs: readonly Program[]): string {
  return `apt-get install ${programs.map((program) => PROGRAMS[program].debian).join(' ')}`
}
