import { helpText, numberOption, parseCommandLine, type CommandLine } from './args.js'
import { CommandError, UsageError } from './errors.js'
import { printable, type Terminal } from './terminal.js'

/** Runs one command line. Resolves with the exit code: 0 done, 1 failed, 2 wrong usage. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  try {
    const line = parseCommandLine(argv)
    if (line !== null) return await dispatch(line, terminal)
    terminal.out(helpText())
    return 0
  } catch (error) {
    if (error instanceof UsageError) {
      terminal.err(`rollcall: ${printable(error.message)} (rollcall --help)`)
      return 2
    }
    if (error instanceof CommandError) {
      terminal.err(`rollcall: ${printable(error.message)}`)
      return 1
    }
    throw error
  }
}

/** Commands are loaded when they are used: asking a node needs nothing of what a node is made of. */
async function dispatch(line: CommandLine, terminal: Terminal): Promise<number> {
  switch (line.command) {
    case 'start': {
      const workers = numberOption(line, 'workers', 1, 64)
      const port = numberOption(line, 'port', 0, 65_535)
      const { start } = await import('./commands/start.js')
      return start({ workers, port }, terminal)
    }
    case 'watch': {
      const { watch } = await import('./commands/watch.js')
      return watch(line, terminal)
    }
    case 'token': {
      const { token } = await import('./commands/token.js')
      await token(line, terminal)
      return 0
    }
    case 'doctor': {
      const { doctor } = await import('./commands/doctor.js')
      return doctor(line, terminal)
    }
    default: {
      const { who, where, kick, nodes } = await import('./commands/remote.js')
      const command = { who, where, kick, nodes }[line.command]
      if (command === undefined) throw new UsageError(`${line.command} is not there`)
      await command(line, terminal)
      return 0
    }
  }
}
