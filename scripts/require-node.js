// Runs on any Node, so that a person whose npm found an old one reads what to do instead of a syntax error.
if (Number.parseInt(process.versions.node, 10) < 24) {
  console.error(
    `This needs Node 24 or later and found ${process.version}. Run npm ci first: it brings Node 26 (Linux, glibc).`,
  )
  process.exit(1)
}
