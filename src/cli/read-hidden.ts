import type { ReadStream } from 'node:tty'

/**
 * A line that somebody types at a terminal, without showing it. The terminal is as it was before on every way out: when the line
 * is there, at Ctrl-C, at a signal, at an exception; Node itself sees to an exit that nobody planned.
 */

const ENTER = /[\r\n]/
const INTERRUPT = '\u0003'
const END = '\u0004'
const BACKSPACE = /[\b\u007f]/
const ERASE_LINE = '\u0015'
const ERASE_WORD = '\u0017'
/** Arrow keys and the like, and what a terminal puts around a paste. */
const ESCAPE_SEQUENCE = /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|O.|.)/g

const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGQUIT: 131, SIGTERM: 143 } as const

/** The line, or the exit code with which somebody has given up. `prompt` goes to stderr, and a line end after it. */
export function readHidden(terminal: ReadStream, prompt: string): Promise<string | number> {
  return new Promise((resolve) => {
    let line = ''
    let isOver = false
    function end(result: string | number): void {
      if (isOver) return
      isOver = true
      terminal.off('data', take)
      terminal.off('end', giveUp)
      for (const [signal, listener] of listeners) process.off(signal, listener)
      // A terminal that has gone (its window was closed) has no mode to be put back.
      if (!terminal.destroyed) terminal.setRawMode(false)
      terminal.pause()
      process.stderr.write('\n')
      resolve(result)
    }
    // The terminal has gone, and with it the rest of the line.
    const giveUp = (): void => end(SIGNALS.SIGHUP)
    const listeners = Object.entries(SIGNALS).map(([signal, code]) => {
      return [signal as NodeJS.Signals, () => end(code)] as const
    })

    function take(chunk: string): void {
      for (const character of chunk.replace(ESCAPE_SEQUENCE, '')) {
        if (character === INTERRUPT || character === END || ENTER.test(character)) {
          end(character === INTERRUPT ? SIGNALS.SIGINT : line)
          return
        }
        if (BACKSPACE.test(character)) line = [...line].slice(0, -1).join('')
        else if (character === ERASE_LINE || character === ERASE_WORD) line = ''
        else if (character >= ' ') line += character
      }
    }

    for (const [signal, listener] of listeners) process.on(signal, listener)
    terminal.setRawMode(true)
    terminal.setEncoding('utf8')
    terminal.on('data', take)
    terminal.on('end', giveUp)
    terminal.on('error', giveUp)
    process.stderr.write(prompt)
  })
}
