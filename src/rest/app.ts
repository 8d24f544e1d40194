import express, { Router, type Express, type RequestHandler } from 'express'
import helmet from 'helmet'

import type { Metrics } from '../metrics/index.js'
import { assets, type AssetFolders } from './assets.js'
import { channels } from './channels.js'
import { cors } from './cors.js'
import type { RestDeps } from './deps.js'
import { decodablePath, errorHandler, notFound } from './errors.js'
import { functionRoutes } from './function-routes.js'
import { health } from './health.js'
import { members } from './members.js'
import { metricsRoute } from './metrics.js'
import { nodes } from './nodes.js'
import { status } from './status.js'
import { users } from './users.js'
import { webhooks } from './webhooks.js'

/**
 * The HTTP side of a node. Every answer that is not an asset is JSON, errors included (`{ error: { code, errorCode,
 * message, remediation } }`; below `/1.1` in the shape of LeanCloud).
 */
export function createApp(deps: RestDeps, folders?: AssetFolders): Express {
  const app = express()
  const { trustProxy } = deps.config
  app.set('trust proxy', typeof trustProxy === 'object' ? [...trustProxy] : trustProxy)

  // Whether all of a domain has to be reached by TLS is for whoever terminates the TLS to say.
  app.use(helmet({ contentSecurityPolicy: { useDefaults: false, directives: CONTENT_SECURITY }, strictTransportSecurity: false }))
  app.use(cors(deps.config.corsOrigins))
  // Before anything that could answer an error in another shape.
  app.use('/1.1', counted(deps.metrics), functionRoutes(deps))
  app.use(decodablePath)
  app.use(health(deps), metricsRoute(deps), assets(folders))
  app.use('/v1', counted(deps.metrics), authorized(deps), v1(deps))
  app.use(notFound)
  app.use(errorHandler(deps))
  return app
}

/** For the demo page: its own files, and connections of its SDK to this node. Old browsers do not take 'self' for ws. */
const CONTENT_SECURITY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'", 'data:'],
  fontSrc: ["'self'"],
  connectSrc: ["'self'", 'ws:', 'wss:'],
  manifestSrc: ["'self'"],
  formAction: ["'self'"],
  baseUri: ["'none'"],
  frameAncestors: ["'none'"],
}

function v1(deps: RestDeps): Router {
  return Router().use(channels(deps), members(deps), users(deps), status(deps), nodes(deps), webhooks(deps))
}

function authorized({ auth }: Pick<RestDeps, 'auth'>): RequestHandler {
  return (req, res, next) => {
    auth.authorize(req.headers.authorization)
    res.set('Cache-Control', 'no-store')
    next()
  }
}

function counted({ httpRequests }: Pick<Metrics, 'httpRequests'>): RequestHandler {
  return (req, res, next) => {
    res.once('finish', () => httpRequests.inc({ method: req.method, status: String(res.statusCode) }))
    next()
  }
}
