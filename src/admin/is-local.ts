import type { BindAddress } from '../config/snapshot.ts'

/** Whether nobody but this machine can reach it. */
export function isLocal(address: BindAddress): boolean {
  return address.path !== undefined || address.host.startsWith('127.') || address.host === '::1'
}
