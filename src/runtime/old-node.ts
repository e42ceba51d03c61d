/**
 * The first thing that a start does: on a Node that is too old, one line says so, instead of whatever it does not understand
 * first. Nothing here, and nothing that `main.ts` imports before it has a command, may be newer than Node 20.
 */
const OLDEST = 24

if (Number.parseInt(process.versions.node, 10) < OLDEST) {
  process.stderr.write(
    `fluxgate: this is Node ${process.versions.node}, and it needs ${OLDEST} or later; bin/fluxgate starts the one that npm ci brings\n`,
  )
  process.exit(1)
}
