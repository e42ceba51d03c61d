/** A thread in the place of the one that watches: says that it was asked, and is through when the test says so. */
import { BroadcastChannel, parentPort, workerData } from 'node:worker_threads'

const channel = new BroadcastChannel((workerData as { path: string }).path)
parentPort!.on('message', () => channel.postMessage('asked'))
channel.onmessage = ({ data }: { data: unknown }) => {
  if (data === 'through') parentPort!.postMessage({ type: 'reloaded' })
  if (data === 'retire') {
    parentPort!.postMessage({
      type: 'retiring',
      state: { sources: [], applied: 'from the one before', condition: undefined },
    })
    channel.close()
    parentPort!.close()
  }
}
channel.postMessage(`started with ${(workerData as { initial: { applied: string } }).initial.applied}`)
