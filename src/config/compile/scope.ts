import type { ServerTls } from '../snapshot.ts'
import type { Path } from '../text/problem.ts'
import type { SecretRoom } from './secret.ts'

/** What compiling a part of the document needs beside the part itself. */
export interface Scope extends SecretRoom {
  /** The configuration file's, where relative paths start. */
  readonly folder: string
  /** TLS towards clients as it is in force: what its files held, should they hold nothing of use now. */
  readonly inForce: ServerTls | undefined
  /** Reports something wrong at a place of the document. */
  problem(path: Path, text: string): void
  /** Reports something that is probably a mistake. */
  warning(path: Path, text: string): void
  /** Whether something stands at a place, right or wrong: what is there but wrong has been reported already. */
  isGiven(path: Path): boolean
}
