import { Router } from 'express'

import type { ChannelType } from '../protocol/channel.js'
import { RollcallError } from '../protocol/errors.js'
import { checkChannelType } from '../protocol/names.js'
import type { RestDeps } from './deps.js'
import { methodNotAllowed } from './errors.js'
import { queryText } from './query.js'

interface ListedChannel {
  readonly channelName: string
  readonly channelType: ChannelType
  readonly totalOccupancy: number
  readonly version: number
}

/** The store's pages are looked through until there are this many matches, or this many pages were read. */
const ENOUGH = 100
const MAX_READS = 10

/**
 * `GET /channels?type&prefix&cursor`: the channels that have members, page by page until the cursor is `''`. A page may
 * be short, or empty, though others follow; a channel that comes or goes meanwhile may be listed or not, or twice.
 */
export function channels({ store, presence }: Pick<RestDeps, 'store' | 'presence'>): Router {
  const router = Router()
  router
    .route('/channels')
    .get(async (req, res) => {
      const givenType = queryText(req, 'type')
      const type = givenType === undefined ? null : checkChannelType(givenType)
      const prefix = queryText(req, 'prefix') ?? ''
      let cursor = queryText(req, 'cursor') ?? ''
      const found: ListedChannel[] = []
      for (let reads = 0; reads < MAX_READS; reads++) {
        const page = await store.channels(cursor)
        if (page === null) throw new RollcallError('PRESENCE_INVALID_ARGUMENT', 'cursor is not that of an earlier answer')
        cursor = page.cursor
        for (const { app, type: channelType, name, occupancy, version } of page.channels) {
          if (app !== presence.app || channelType === 'USER' || !name.startsWith(prefix)) continue
          if (type === null || type === channelType) found.push({ channelName: name, channelType, totalOccupancy: occupancy, version })
        }
        if (cursor === '' || found.length >= ENOUGH) break
      }
      res.json({ channels: found, cursor })
    })
    .all(methodNotAllowed('GET'))
  return router
}
