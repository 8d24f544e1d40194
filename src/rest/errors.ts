import type { ErrorRequestHandler, RequestHandler, Response } from 'express'

import type { Logger } from '../log.js'
import type { Metrics } from '../metrics/index.js'
import { StoreRefusedError, UnknownOutcomeError } from '../presence/store.js'
import { ERRORS, RollcallError } from '../protocol/errors.js'

/** How an error looks over HTTP: the same for every route, whatever went wrong. */
function sendError(res: Response, error: RollcallError): void {
  const { status, remediation } = ERRORS[error.code]
  if (status === 401) res.set('WWW-Authenticate', 'Bearer realm="rollcall"')
  if (status === 503) res.set('Retry-After', '1')
  res.status(status).set('Cache-Control', 'no-store').json({ error: { code: error.code, errorCode: error.errorCode, message: error.reason, remediation } })
}

export const notFound: RequestHandler = (req) => {
  throw new RollcallError('NOT_FOUND', `there is no ${req.path}`)
}

/** The last handler of a route: whatever comes here has a method that the route does not know. */
export function methodNotAllowed(...methods: readonly ('GET' | 'POST')[]): RequestHandler {
  const allow = [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ')
  return (req, res) => {
    res.set('Allow', allow)
    if (req.method === 'OPTIONS') res.status(204).end()
    else throw new RollcallError('METHOD_NOT_ALLOWED', `${req.method} is not possible here; allowed: ${allow}`)
  }
}

/** A path with broken percent-encoding names nothing: refused before a route tries to read names from it. */
export const decodablePath: RequestHandler = (req, _res, next) => {
  try {
    decodeURIComponent(req.path)
  } catch (error) {
    throw new RollcallError('PRESENCE_INVALID_ARGUMENT', 'the URL does not decode', '', { cause: error })
  }
  next()
}

/** The one place where an error becomes a response. */
export function errorHandler({ log, metrics }: { readonly log: Logger; readonly metrics: Pick<Metrics, 'errors'> }): ErrorRequestHandler {
  return (thrown: unknown, req, res, next) => {
    const error = toRollcallError(thrown)
    metrics.errors.inc({ code: error.code })
    if (error.code === 'INTERNAL') log.error({ err: thrown, method: req.method, path: req.path }, 'an HTTP request failed')
    // Too late for an answer: express ends the connection, so that half a body is not taken for a whole one.
    if (res.headersSent) next(thrown)
    else sendError(res, error)
  }
}

/** What anything that was thrown is called; INTERNAL for what nobody expected. */
export function toRollcallError(thrown: unknown): RollcallError {
  if (thrown instanceof RollcallError) return thrown
  const options = { cause: thrown }
  if (thrown instanceof UnknownOutcomeError) return new RollcallError('PRESENCE_OPERATION_TIMEOUT', 'the store did not answer', '', options)
  if (thrown instanceof StoreRefusedError) return new RollcallError('PRESENCE_OPERATION_FAILED', 'the store refused', '', options)
  // What express and its body parser throw carries a status; a `type` says which rule was broken.
  const { status, type } = typeof thrown === 'object' && thrown !== null ? (thrown as { readonly status?: unknown; readonly type?: unknown }) : {}
  if (type === 'entity.too.large') return new RollcallError('PAYLOAD_TOO_LARGE', 'the body is too large', '', options)
  if (type === 'entity.parse.failed') return new RollcallError('PRESENCE_INVALID_ARGUMENT', 'the body is not a JSON object', '', options)
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new RollcallError(status === 404 ? 'NOT_FOUND' : 'PRESENCE_INVALID_ARGUMENT', 'the request is malformed', '', options)
  }
  return new RollcallError('INTERNAL', 'something went wrong inside the server', '', options)
}
