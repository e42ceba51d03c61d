/** Why a worker has ended. */
export interface Death {
  readonly reason: string
  readonly stack: string | undefined
}

export function describeEnd(error: unknown, code: number): Death {
  if (error === undefined) return { reason: `exit code ${code}`, stack: undefined }
  return error instanceof Error
    ? { reason: error.message, stack: error.stack }
    : { reason: String(error), stack: undefined }
}
