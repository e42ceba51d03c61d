import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { isatty } from 'node:tty'

/**
 * A file descriptor for standard output on which a write never waits.
 *
 * `process.stdout` is no help: measured on Node 26, a pipe that nobody reads makes it grow by all that is written (31 MB in
 * one second), and a terminal stopped with Ctrl-S blocks the whole process, since Node makes terminals blocking. So pipes and
 * terminals are opened a second time, without blocking and without touching the description that the shell and its other
 * children share with us. Where that is not allowed (a socket, a pipe of another user), Node's own stream is opened for its
 * side effect of making the descriptor non-blocking. A regular file never makes anybody wait for long.
 */
export function openStdout(fd = 1): { readonly fd: number; readonly isTerminal: boolean; close(): void } {
  const isTerminal = isatty(fd)
  const stat = fstatSync(fd)
  if (!isTerminal && !stat.isFIFO() && !stat.isSocket()) return { fd, isTerminal, close() {} }
  try {
    const own = openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
    return { fd: own, isTerminal, close: () => closeSync(own) }
  } catch {
    if (fd === 1) process.stdout.on('error', () => {})
    return { fd, isTerminal, close() {} }
  }
}
