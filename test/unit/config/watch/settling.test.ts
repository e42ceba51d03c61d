/** When a change is complete: a timetable of what is seen, and the verdicts on it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Settling } from '../../../../src/config/watch/settling.ts'

/** `[time, what is there, verdict]`; `old` is what was loaded, `-` is no file. */
type Step = readonly [number, string, string]

const TIMETABLES: Readonly<Record<string, readonly Step[]>> = {
  'nothing changes': [
    [0, 'old', 'same'],
    [1000, 'old', 'same'],
  ],
  'a new content settles for 150 ms': [
    [0, 'new', 'unsettled'],
    [149, 'new', 'unsettled'],
    [150, 'new', 'settled'],
  ],
  'another content starts over': [
    [0, 'half', 'unsettled'],
    [100, 'new', 'unsettled'],
    [200, 'new', 'unsettled'],
    [250, 'new', 'settled'],
  ],
  'whoever keeps writing is not waited for longer than 600 ms': [
    [0, 'a', 'unsettled'],
    [140, 'b', 'unsettled'],
    [280, 'c', 'unsettled'],
    [420, 'd', 'unsettled'],
    [560, 'e', 'unsettled'],
    [600, 'f', 'overdue'],
    [640, 'g', 'overdue'],
    [790, 'g', 'settled'],
  ],
  'back to what it was': [
    [0, 'new', 'unsettled'],
    [100, 'old', 'same'],
    [200, 'new', 'unsettled'],
    [349, 'new', 'unsettled'],
    [350, 'new', 'settled'],
  ],
  'a file that goes away may come back for 400 ms': [
    [0, '-', 'unsettled'],
    [399, '-', 'unsettled'],
    [400, '-', 'settled'],
  ],
  'deleted and made again': [
    [0, '-', 'unsettled'],
    [300, 'new', 'unsettled'],
    [450, 'new', 'settled'],
  ],
  'the time without a file is no time of writing': [
    [0, 'a', 'unsettled'],
    [100, '-', 'unsettled'],
    [450, 'b', 'unsettled'],
    [590, 'c', 'unsettled'],
    [700, 'd', 'unsettled'],
    [850, 'd', 'settled'],
  ],
}

for (const [title, steps] of Object.entries(TIMETABLES)) {
  test(title, () => {
    const settling = new Settling()
    for (const [now, content, verdict] of steps) {
      assert.equal(settling.judge(content, 'old', content !== '-', now), verdict, `at ${now} ms`)
      assert.equal(settling.isPending, verdict !== 'same')
    }
  })
}
