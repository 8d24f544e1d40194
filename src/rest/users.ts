import express, { Router, type Request } from 'express'

import { RollcallError } from '../protocol/errors.js'
import { checkUserId } from '../protocol/names.js'
import { bodyObject } from './body.js'
import type { RestDeps } from './deps.js'
import { methodNotAllowed } from './errors.js'

const DEFAULT_REASON = 'disconnected by the application'
const REASON_CHARACTERS = 256

/** `GET /users/{userId}/channels` as `whereNow`, and `POST /users/{userId}/disconnect { reason? }`. */
export function users({ config, presence, disconnectUser }: Pick<RestDeps, 'config' | 'presence' | 'disconnectUser'>): Router {
  const router = Router()
  router
    .route('/users/:userId/channels')
    .get(async (req, res) => {
      const channels = await presence.whereNow(checkUserId(req.params.userId, config.limits))
      res.json({ totalChannel: channels.length, channels })
    })
    .all(methodNotAllowed('GET'))
  router
    .route('/users/:userId/disconnect')
    .post(express.json({ limit: '16kb' }), async (req, res) => {
      const userId = checkUserId(req.params.userId, config.limits)
      res.json({ sessions: await disconnectUser(userId, reasonOf(req)) })
    })
    .all(methodNotAllowed('POST'))
  return router
}

function reasonOf(req: Request): string {
  const { reason } = bodyObject(req)
  if (reason === undefined || reason === '') return DEFAULT_REASON
  if (typeof reason !== 'string' || reason.length > REASON_CHARACTERS) {
    throw new RollcallError('PRESENCE_INVALID_ARGUMENT', `reason is a string of at most ${REASON_CHARACTERS} characters`)
  }
  return reason
}
