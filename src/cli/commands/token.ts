import { createAuth, parseChannelRules, type ChannelRule } from '../../auth/index.js'
import { ConfigError, loadConfig, type Config } from '../../config.js'
import { RollcallError } from '../../protocol/errors.js'
import { checkUserId } from '../../protocol/names.js'
import { numberOption, textOption, type CommandLine } from '../args.js'
import { CommandError, UsageError } from '../errors.js'
import type { Terminal } from '../terminal.js'

const DEFAULT_TTL_S = 3_600
const MAX_TTL_S = 10 * 366 * 86_400

/** Signs a token with the secret of the environment, and prints it and nothing else. */
export async function token(line: CommandLine, terminal: Terminal): Promise<void> {
  const userId = userOption(line)
  const ttlSeconds = numberOption(line, 'ttl', 1, MAX_TTL_S) ?? DEFAULT_TTL_S
  const channels = channelsOption(line)
  const config = signingConfig(terminal.env)
  if (config.secret === null) throw new CommandError('ROLLCALL_SECRET is not set: there is nothing to sign with, and in development mode no login needs a token')
  const signed = await createAuth(config).sign(userId, { ttlSeconds, channels })
  terminal.out(line.options.json === true ? JSON.stringify({ token: signed, userId, appId: config.appId, ttlSeconds }) : signed)
}

/** App, secret and API key of the environment, with the same checks as a node's. Throws CommandError. */
export function signingConfig(env: Terminal['env']): Config {
  const { ROLLCALL_APP_ID, ROLLCALL_SECRET, ROLLCALL_API_KEY } = env
  try {
    return loadConfig({ ROLLCALL_APP_ID, ROLLCALL_SECRET, ROLLCALL_API_KEY })
  } catch (error) {
    if (error instanceof ConfigError) throw new CommandError(error.message, { cause: error })
    throw error
  }
}

function userOption(line: CommandLine): string {
  const user = textOption(line, 'user')
  if (user === undefined) throw new UsageError('token needs --user U')
  return asUsage('--user', () => checkUserId(user))
}

function channelsOption(line: CommandLine): readonly ChannelRule[] | undefined {
  const text = textOption(line, 'channels')
  if (text === undefined) return undefined
  return asUsage('--channels', () => parseChannelRules(JSON.parse(text)) ?? undefined)
}

function asUsage<T>(option: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (error instanceof RollcallError || error instanceof SyntaxError) throw new UsageError(`${option}: ${error.message}`)
    throw error
  }
}
