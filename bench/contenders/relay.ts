import { join } from 'node:path'
import { CA } from '../../test/support/certificates.ts'
import { contenderCores } from '../machine/processes.ts'
import { CLIENT_KEY, type Contender, FULL_LOAD, NotAvailable, PREFIX, PROVIDER_KEY, prefixed } from './contender.ts'
import { serve, writeTo } from './server.ts'

const PROGRAM = join(import.meta.dirname, 'raw-relay.ts')

/** What Node itself costs: nothing that runs on it can do the same work for less. */
export function relay(): Contender {
  return {
    ...prefixed,
    name: 'relay',
    version: `(Node ${process.versions.node})`,
    load: FULL_LOAD,
    log: undefined,
    checksKey: true,
    start: async ({ originPort, isTls, clients, workers = 1 }) => {
      if (clients !== undefined) throw new NotAvailable('it speaks HTTP/1.1 in the clear')
      if (workers > 1) throw new NotAvailable('it is one process')
      return await serve(contenderCores(), (port, folder) => {
        const args = [String(port), String(originPort), PREFIX, CLIENT_KEY, PROVIDER_KEY]
        const ca = isTls ? [writeTo(folder, 'ca.pem', CA)] : []
        return { command: [process.execPath, PROGRAM, ...args, ...ca] }
      })
    },
  }
}
