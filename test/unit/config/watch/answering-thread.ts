/** A thread in the place of the one that watches: says that it was asked, and is through when the test says so. */
import { BroadcastChannel, parentPort } from 'node:worker_threads'
import type { FromWatchThread, ToWatchThread } from '../../../../src/config/watch/messages.ts'

const post = (message: FromWatchThread): void => parentPort!.postMessage(message)

post({ type: 'up' })
parentPort!.on('message', (message: ToWatchThread) => {
  if (message.type === 'watch') watch(message)
})

function watch({ path, initial }: Extract<ToWatchThread, { type: 'watch' }>): void {
  const channel = new BroadcastChannel(path)
  parentPort!.on('message', ({ type }: ToWatchThread) => channel.postMessage(type === 'reload' ? 'asked' : type))
  channel.onmessage = ({ data }: { data: unknown }) => {
    if (data === 'through') post({ type: 'reloaded' })
    if (data === 'heavy' || data === 'staying') post({ type: data })
    if (data === 'die') process.exit(3)
    if (data === 'retire') {
      post({ type: 'retiring', state: { sources: [], applied: 'from the one before', condition: undefined } })
      channel.close()
      parentPort!.close()
    }
  }
  channel.postMessage(`started with ${initial.applied}`)
}
