import { randomBytes } from 'node:crypto'

import { createAuth } from '../../auth/index.js'
import { RollcallClient } from '../../client/index.js'
import { RollcallError } from '../../protocol/errors.js'
import { Signals } from '../../run-node.js'
import { nodeUrl } from '../api.js'
import { textOption, type CommandLine } from '../args.js'
import { CommandError } from '../errors.js'
import { eventLine } from '../event-line.js'
import { printable, type Terminal } from '../terminal.js'
import { typeOption } from './remote.js'
import { signingConfig } from './token.js'

const TOKEN_TTL_S = 3_600

/** Prints a channel's events, one a line, until SIGINT; as a quiet subscriber, so that nobody sees anybody watching. */
export async function watch(line: CommandLine, terminal: Terminal): Promise<number> {
  const channelName = line.positionals[0] ?? ''
  const channelType = typeOption(line)
  const url = nodeUrl(line)
  const config = signingConfig(terminal.env)
  const userId = textOption(line, 'user') ?? `watch-${randomBytes(4).toString('hex')}`
  const given = textOption(line, 'token')
  const auth = createAuth(config)
  const client = new RollcallClient(textOption(line, 'app') ?? config.appId, userId, {
    url,
    ...(given !== undefined ? { token: given } : auth.required ? { getToken: () => auth.sign(userId, { ttlSeconds: TOKEN_TTL_S }) } : {}),
  })

  const signals = new Signals()
  const ended = new Promise<never>((_resolve, reject) => {
    client.addEventListener('kicked', ({ reason }) => reject(new CommandError(`disconnected by the node: ${reason}`)))
    client.addEventListener('linkState', ({ currentState, reason }) => {
      if (currentState === 'FAILED') reject(new CommandError(`the connection failed: ${reason}`))
      else terminal.err(currentState.toLowerCase())
    })
  })
  client.addEventListener('presence', (event) => {
    if (event.channelName !== channelName || event.channelType !== channelType) return
    terminal.out(line.options.json === true ? printable(JSON.stringify(event)) : eventLine(event))
  })

  const subscribed = client.login().then(() => client.subscribe(channelName, { channelType, withPresence: true, beQuiet: true }))
  try {
    await Promise.race([subscribed, ended, signals.first])
    await Promise.race([signals.first, ended])
    return 0
  } catch (error) {
    if (error instanceof RollcallError) throw new CommandError(`${error.code}: ${error.reason}`, { cause: error })
    throw error
  } finally {
    signals.forget()
    // Where the login is still under way, or has failed, there is nothing to say goodbye to.
    subscribed.catch(() => undefined)
    await client.logout().catch(() => undefined)
  }
}
