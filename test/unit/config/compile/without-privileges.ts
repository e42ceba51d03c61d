/** The user `nobody`. */
const NOBODY = 65_534

/** Runs it as a user to whom permissions mean something: root may read everything. */
export function withoutPrivileges<T>(run: () => T): T {
  if (process.geteuid?.() !== 0) return run()
  process.seteuid?.(NOBODY)
  try {
    return run()
  } finally {
    process.seteuid?.(0)
  }
}
