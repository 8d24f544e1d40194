import type { RollcallClient } from '../../src/client/index.js'
import { createClient, type ClientOptions } from '../support/client.js'
import type { NodeAddress } from '../support/node.js'
import type { Scope } from '../support/scope.js'
import { within } from '../support/wait.js'
import { TalkLog } from './talk-log.js'

const LOGIN_MS = 10_000

/** Logs in for each user of whom nobody is there, so that what waits for that user comes. Their logs are put with the others. */
export async function sendHeirs(scope: Scope, users: readonly string[], hearers: TalkLog[], nodes: readonly NodeAddress[], optionsOf: (user: string) => ClientOptions = () => ({})): Promise<readonly RollcallClient[]> {
  const away = users.filter((user) => !hearers.some((hearer) => hearer.user === user && hearer.connectedSince < Infinity))
  return Promise.all(
    away.map(async (user) => {
      const client = createClient(scope, user, nodes, { transports: ['websocket'], ...optionsOf(user) })
      hearers.push(TalkLog.of(client, `${user}/heir`))
      await within(client.login(), LOGIN_MS, `an heir of ${user} logs in`)
      return client
    }),
  )
}
