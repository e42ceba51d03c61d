import { createGateway } from '../gateway.ts'
import { STAND_IN_KEY, startStandIn } from '../tools/stand-in/stand-in.ts'
import type { Command } from './arguments.ts'
import { type DemoMeter, openDemoMeter } from './demo-meter.ts'
import { DEMO_KEY, type DemoTls, demoConfiguration, demoText, demoUsageText } from './demo-text.ts'
import { loadText } from './load-text.ts'
import { numbered } from './reload.ts'
import { drain, listen, serviceCommand } from './serve.ts'
import { makeThrowAwayCertificate } from './throw-away-certificate.ts'
import { OPTION_VALUES, usageError } from './usage.ts'

type Demo = Extract<Command, { name: 'demo' }>

/** Runs the gateway in front of the stand-in provider until it is told to stop; the exit code of the process. */
export async function demo({ bindAddress, speaksTls }: Demo): Promise<number> {
  const meter = openDemoMeter()
  const certificate = speaksTls ? makeThrowAwayCertificate() : undefined
  if (certificate !== undefined && 'wrong' in certificate) {
    process.stderr.write(`error: ${certificate.wrong}\n`)
    meter?.discard()
    return 1
  }
  try {
    return await serve(bindAddress, certificate, meter)
  } finally {
    certificate?.discard()
    meter?.discard()
  }
}

function serve(bindAddress: string, tls: DemoTls | undefined, meter: DemoMeter | undefined): Promise<number> {
  return serviceCommand(async (logging, processEvents) => {
    const standIn = await startStandIn()
    const loaded = loadText(demoConfiguration(bindAddress, standIn.port, STAND_IN_KEY, tls, meter))
    if (!loaded.ok) {
      const shown = `--bind-address ${OPTION_VALUES['--bind-address']}`
      // the address is all that can be wrong with this file
      const reason = loaded.problems.map(({ text }) => text).join('; ')
      process.stderr.write(usageError('demo', `invalid value '${bindAddress}' for '${shown}': ${reason}`))
      return 2
    }
    if (loaded.configuration.server.bindAddress.path !== undefined) {
      process.stderr.write(usageError('demo', 'the demo listens on an address and a port, not on a Unix socket'))
      return 2
    }
    const { log, writeRecord, workerLines } = logging
    const gateway = createGateway(numbered(loaded.configuration, 1), { log, writeRecord, workerLines }, loaded.settings)
    processEvents.onStopAtOnce(
      () => gateway.cut(),
      () => gateway.busyCount(),
    )
    const address = await listen(gateway, bindAddress, log)
    if (address === undefined) {
      await gateway.cut()
      process.stderr.write(`error: ${bindAddress} cannot be listened on; try another one with --bind-address\n`)
      return 1
    }
    logging.print(demoText(address, DEMO_KEY, tls))
    await processEvents.stopRequested
    const code = await drain(gateway, processEvents, log)
    const used = await meter?.report()
    if (used !== undefined) logging.print(demoUsageText(used))
    return code
  })
}
