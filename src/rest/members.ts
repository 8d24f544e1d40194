import { Router } from 'express'

import { whoNow } from '../presence/occupancy.js'
import type { ChannelRef } from '../protocol/channel.js'
import { RollcallError } from '../protocol/errors.js'
import { checkChannel, checkUserId } from '../protocol/names.js'
import type { WhoNowReply } from '../protocol/requests.js'
import type { RestDeps } from './deps.js'
import { methodNotAllowed } from './errors.js'
import { queryFlag, queryText } from './query.js'

/** `GET /channels/{type}/{name}/members` as `whoNow`, and `…/members/{userId}` as `getState`. */
export function members({ config, feeds, presence }: Pick<RestDeps, 'config' | 'feeds' | 'presence'>): Router {
  const router = Router()

  const list = async (channel: ChannelRef, includedState: boolean, page: string | undefined): Promise<WhoNowReply> => {
    const feed = await feeds.acquire({ app: presence.app, type: channel.channelType, name: channel.channelName })
    try {
      await feed.atLeast(presence.acknowledged(channel))
      if (!feed.fresh) throw new RollcallError('PRESENCE_OPERATION_FAILED', 'the node cannot reach its store right now')
      return whoNow(feed, { includedState, page }, config.limits)
    } finally {
      feeds.release(feed)
    }
  }

  router
    .route('/channels/:type/:name/members')
    .get(async (req, res) => {
      const channel = checkChannel(req.params.name, req.params.type, config.limits)
      res.json(await list(channel, queryFlag(req, 'includeState'), queryText(req, 'page')))
    })
    .all(methodNotAllowed('GET'))
  router
    .route('/channels/:type/:name/members/:userId')
    .get(async (req, res) => {
      const userId = checkUserId(req.params.userId, config.limits)
      const states = await presence.getState(checkChannel(req.params.name, req.params.type, config.limits), userId)
      res.json({ userId, states, statesCount: Object.keys(states).length })
    })
    .all(methodNotAllowed('GET'))
  return router
}
