import { VARIATIONS, type Variation } from '../load/heads.ts'

/** What is fed to the path; the variations are small POSTs with their answers. */
export type Load = Variation | 'event' | 'harness'

export const LOADS: Readonly<Record<Load, string>> = {
  harness: 'the harness alone, which is part of all that follows',
  ...VARIATIONS,
  event: 'one event of a stream, 64 streams',
}
