/** Why a request gets no answer, before an API has put it into its own words. */
export class Refusal {
  readonly status: number
  readonly message: string
  readonly code: string | undefined
  readonly retryAfterSeconds: number | undefined

  constructor(status: number, message: string, details: { code?: string; retryAfterSeconds?: number } = {}) {
    this.status = status
    this.message = message
    this.code = details.code
    this.retryAfterSeconds = details.retryAfterSeconds
  }
}

/** The retry hint of a refusal, where it has one. */
export function retryHeaders(refusal: Refusal): Record<string, string> {
  return refusal.retryAfterSeconds === undefined ? {} : { 'retry-after': String(refusal.retryAfterSeconds) }
}
