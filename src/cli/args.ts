import { parseArgs } from 'node:util'

import { UsageError } from './errors.js'

export interface CommandLine {
  readonly command: string
  readonly positionals: readonly string[]
  /** Options by name, only those that the command has. */
  readonly options: Readonly<Partial<Record<OptionName, string | true>>>
}

type Kind = 'string' | 'boolean'

const OPTIONS = {
  url: 'string',
  'api-key': 'string',
  type: 'string',
  json: 'boolean',
  help: 'boolean',
  workers: 'string',
  port: 'string',
  user: 'string',
  ttl: 'string',
  channels: 'string',
  token: 'string',
  app: 'string',
  reason: 'string',
} as const satisfies Record<string, Kind>

export type OptionName = keyof typeof OPTIONS

const REMOTE = ['url', 'api-key', 'json'] as const

interface Command {
  readonly argument?: string
  readonly options: readonly OptionName[]
  readonly says: string
}

/** Every command: its one argument, its options, and what the help says of it. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  start: { options: ['workers', 'port'], says: 'run a node, at --port P; with --workers N that many behind it' },
  token: { options: ['user', 'ttl', 'channels', 'json'], says: 'sign a token with ROLLCALL_SECRET: --user U, --ttl seconds (3600), --channels JSON' },
  who: { argument: 'CHANNEL', options: [...REMOTE, 'type'], says: 'who is in a channel, with their states' },
  where: { argument: 'USER', options: REMOTE, says: 'which channels a user is in' },
  watch: { argument: 'CHANNEL', options: ['url', 'json', 'type', 'user', 'token', 'app'], says: 'print a channel\'s events until Ctrl-C, unseen; logs in as --user U, with --token T, to --app ID' },
  kick: { argument: 'USER', options: [...REMOTE, 'reason'], says: 'end all sessions of a user, who is told --reason TEXT' },
  nodes: { options: REMOTE, says: 'the nodes of the cluster' },
  doctor: { options: REMOTE, says: 'look for what is wrong: settings, Redis and, with --url, a node or the balancer before it' },
}

export function helpText(): string {
  const rows = Object.entries(COMMANDS).map(([name, { argument, says }]) => `  ${`${name} ${argument ?? ''}`.padEnd(15)} ${says}`)
  return [
    'Usage: rollcall COMMAND [options]',
    '',
    ...rows,
    '',
    'Options of those that ask a node:',
    '  --url URL       its address (http://127.0.0.1:3000)',
    '  --api-key KEY   ROLLCALL_API_KEY unless given',
    '  --type TYPE     of the channel, MESSAGE (default) or STREAM',
    '  --json          print JSON',
    '',
    'Exit codes: 0 done, 1 failed, 2 wrong usage.',
  ].join('\n')
}

/** Reads the command line; null asks for help. Throws UsageError. */
export function parseCommandLine(argv: readonly string[]): CommandLine | null {
  const { values, positionals } = parsed(argv)
  if (values.help === true || positionals[0] === 'help') return null
  const [name, ...rest] = positionals
  if (name === undefined) throw new UsageError('a command is missing')
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) throw new UsageError(`there is no command ${JSON.stringify(name)}`)
  for (const option of Object.keys(values)) {
    if (!command.options.some((known) => known === option)) throw new UsageError(`${name} has no option --${option}`)
  }
  const wanted = command.argument === undefined ? 0 : 1
  if (rest.length < wanted) throw new UsageError(`${name} needs a ${command.argument}`)
  if (rest.length > wanted) throw new UsageError(`${name} takes no further argument ${JSON.stringify(rest[wanted])}`)
  return { command: name, positionals: rest, options: values }
}

/** An option that is a whole number within bounds. Throws UsageError. */
export function numberOption(line: CommandLine, name: OptionName, min: number, max: number): number | undefined {
  const text = textOption(line, name)
  if (text === undefined) return undefined
  const value = Number(text)
  if (!/^\d{1,10}$/.test(text) || value < min || value > max) throw new UsageError(`--${name} is a whole number from ${min} to ${max}`)
  return value
}

export function textOption({ options }: CommandLine, name: OptionName): string | undefined {
  const value = options[name]
  return typeof value === 'string' ? value : undefined
}

function parsed(argv: readonly string[]): { values: Partial<Record<OptionName, string | true>>; positionals: readonly string[] } {
  const options = Object.fromEntries(Object.entries(OPTIONS).map(([name, type]) => [name, { type }]))
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true })
    return { values: values, positionals }
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}
