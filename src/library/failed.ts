import type { GatewayError, GatewayErrorCode } from '../library.ts'

export function failed(code: GatewayErrorCode, message: string, problems: readonly string[] = []): GatewayError {
  return Object.assign(new Error(message), { code, problems })
}
