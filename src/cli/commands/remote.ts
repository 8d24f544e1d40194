import { Api } from '../api.js'
import { textOption, type CommandLine } from '../args.js'
import { UsageError } from '../errors.js'
import { channelsReply, disconnectReply, membersReply, nodesReply, read } from '../replies.js'
import { printable, statesText, type Terminal } from '../terminal.js'
import { CHANNEL_TYPES, type ChannelType } from '../../protocol/channel.js'

/** `--type`, MESSAGE unless given. Throws UsageError. */
export function typeOption(line: CommandLine): ChannelType {
  const given = textOption(line, 'type') ?? 'MESSAGE'
  const type = CHANNEL_TYPES.find((known) => known === given.toUpperCase())
  if (type === undefined) throw new UsageError(`--type is one of ${CHANNEL_TYPES.join(', ')}`)
  return type
}

/** Who is in a channel: all pages of it, which may be of slightly different moments. */
export async function who(line: CommandLine, terminal: Terminal): Promise<void> {
  const api = new Api(line, terminal)
  const channelName = line.positionals[0] ?? ''
  const channelType = typeOption(line)
  const occupants: unknown[] = []
  const lines: string[] = []
  let totalOccupancy: number
  let page = ''
  do {
    const answer = await api.get(['channels', channelType, channelName, 'members'], { includeState: 'true', ...(page === '' ? {} : { page }) })
    const reply = read(membersReply, answer)
    totalOccupancy = reply.totalOccupancy
    page = reply.nextPage
    for (const occupant of reply.occupants) {
      occupants.push(occupant)
      lines.push(`${printable(occupant.userId)}  ${statesText(occupant.states)}`.trimEnd())
    }
  } while (page !== '')
  if (line.options.json === true) terminal.out(printable(JSON.stringify({ channelName, channelType, totalOccupancy, occupants })))
  else {
    for (const row of lines) terminal.out(row)
    terminal.err(`${totalOccupancy} in ${printable(channelName)} (${channelType})`)
  }
}

/** Which channels a user is in. */
export async function where(line: CommandLine, terminal: Terminal): Promise<void> {
  const userId = line.positionals[0] ?? ''
  const reply = read(channelsReply, await new Api(line, terminal).get(['users', userId, 'channels']))
  if (line.options.json === true) terminal.out(printable(JSON.stringify(reply)))
  else {
    for (const { channelName, channelType } of reply.channels) terminal.out(`${channelType}  ${printable(channelName)}`)
    terminal.err(`${printable(userId)} is in ${count(reply.totalChannel, 'channel')}`)
  }
}

/** Ends all sessions of a user. */
export async function kick(line: CommandLine, terminal: Terminal): Promise<void> {
  const userId = line.positionals[0] ?? ''
  const reason = textOption(line, 'reason')
  const reply = read(disconnectReply, await new Api(line, terminal).post(['users', userId, 'disconnect'], reason === undefined ? {} : { reason }))
  if (line.options.json === true) terminal.out(printable(JSON.stringify(reply)))
  else terminal.out(`${count(reply.sessions, 'session')} of ${printable(userId)} ended`)
}

/** The nodes of the cluster. */
export async function nodes(line: CommandLine, terminal: Terminal): Promise<void> {
  const reply = read(nodesReply, await new Api(line, terminal).get(['nodes']))
  if (line.options.json === true) {
    terminal.out(printable(JSON.stringify(reply)))
    return
  }
  for (const { nodeId, leaseMs, memberships, self } of reply.nodes) {
    const lease = leaseMs > 0 ? `lease ${(leaseMs / 1_000).toFixed(1)} s` : 'lease ended'
    terminal.out(`${printable(nodeId)}  ${lease}  ${count(memberships, 'membership')}${self ? '  (answering)' : ''}`)
  }
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}
