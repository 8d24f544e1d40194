import type { RequestHandler } from 'express'

/** Lets browsers of the configured origins read answers. Nothing here needs cookies, so none are allowed. */
export function cors(origins: '*' | readonly string[]): RequestHandler {
  return (req, res, next) => {
    const { origin } = req.headers
    if (origins !== '*') res.vary('Origin')
    const allowed = origin !== undefined && (origins === '*' || origins.includes(origin))
    if (allowed) res.set('Access-Control-Allow-Origin', origins === '*' ? '*' : origin)
    const preflight = req.method === 'OPTIONS' && origin !== undefined && req.headers['access-control-request-method'] !== undefined
    if (!preflight) {
      next()
      return
    }
    if (allowed) {
      res.set({
        'Access-Control-Allow-Methods': 'GET, POST',
        'Access-Control-Allow-Headers': 'Authorization, Content-Type, X-LC-Id, X-LC-Key, X-LC-Sign',
        'Access-Control-Max-Age': '600',
      })
    }
    res.status(204).end()
  }
}
