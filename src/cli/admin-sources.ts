/** Where the operations door has its answers from: the gateway, what it counts, and what became of the configuration. */
import type { AdminSources } from '../admin/sources.ts'
import type { Status } from '../admin/status.ts'
import type { Snapshot } from '../config/snapshot.ts'
import type { Gateway } from '../gateway.ts'
import { expose } from '../metrics/exposition.ts'
import { gatewayFamilies } from '../metrics/gateway-families.ts'
import { History } from '../metrics/history.ts'
import { processFamilies } from '../metrics/process-families.ts'
import { statusOf } from './admin-status.ts'
import type { ConfigurationState } from './configuration-state.ts'
import { readVersion } from './version.ts'

export interface AdminSourcesOptions {
  readonly gateway: Pick<Gateway, 'collected' | 'facts' | 'refreshMetrics'>
  readonly configuration: ConfigurationState
  readonly snapshot: () => Snapshot
  /** Why there should be no traffic now. */
  readonly notReady: () => readonly string[]
  /** Where is listened. */
  readonly listeners: () => Status['listeners']
}

/** `close` ends what is noted for the last minute. */
export function createAdminSources(options: AdminSourcesOptions): AdminSources & { close(): void } {
  const { gateway, configuration, notReady } = options
  const { collected } = gateway
  const history = new History(collected)
  const version = readVersion()
  const build: Readonly<Record<string, string>> = { version, node: process.versions.node }

  function* families() {
    const { applied, invalid, unreadable } = configuration.reloads
    yield* gatewayFamilies(collected, gateway.facts(), {
      fluxgate_config_reloads_total: [
        [{ result: 'applied' }, applied],
        [{ result: 'invalid' }, invalid],
        [{ result: 'unreadable' }, unreadable],
      ],
      fluxgate_config_loaded_timestamp_seconds: [[{}, configuration.loadedAtMs / 1000]],
      fluxgate_config_valid: [[{}, configuration.isValid ? 1 : 0]],
      fluxgate_build_info: [[build, 1]],
    })
    yield* processFamilies()
  }

  return {
    notReady,
    async exposition(format) {
      await gateway.refreshMetrics()
      return expose(families(), format)
    },
    async status() {
      await gateway.refreshMetrics()
      return statusOf(options, history, version)
    },
    close: () => history.close(),
  }
}
