import { Router, type ErrorRequestHandler, type RequestHandler } from 'express'

import { ERRORS, RollcallError, type ErrorCode } from '../protocol/errors.js'
import { bodyObject, userListBody } from './body.js'
import type { RestDeps } from './deps.js'
import { decodablePath, methodNotAllowed, toRollcallError } from './errors.js'
import { FunctionError, type FunctionRequest, type NamedFunction } from './functions.js'
import { getOnOffStatus } from './status.js'

type FunctionDeps = Pick<RestDeps, 'auth' | 'config' | 'functions' | 'log' | 'metrics' | 'presence'>

/** How long a function may take, in ms: as long as LeanEngine waits. */
const CALL_MS = 15_000

/** `POST /functions/{name}` and `/call/{name}`, in the shape of LeanCloud: `{ result }`, or `{ code, error }` whatever went wrong. */
export function functionRoutes(deps: FunctionDeps, callMs = CALL_MS): Router {
  const builtIn: ReadonlyMap<string, NamedFunction> = new Map([['getOnOffStatus', getOnOffStatus(deps)]])
  const router = Router()
  router.use(decodablePath, authorized(deps))
  for (const path of ['/functions/:name', '/call/:name'] as const) {
    router
      .route(path)
      .post(userListBody(deps.config.limits), async (req, res) => {
        const { name } = req.params
        const fn = deps.functions.get(name) ?? builtIn.get(name)
        if (fn === undefined) throw new RollcallError('NOT_FOUND', `No such cloud function '${name.slice(0, 64)}'`)
        const result = await call(fn, { params: bodyObject(req), meta: { remoteAddress: req.ip ?? '' } }, callMs)
        res.json({ result })
      })
      .all(methodNotAllowed('POST'))
  }
  router.use((req) => {
    throw new RollcallError('NOT_FOUND', `there is no ${req.baseUrl}${req.path}`)
  })
  router.use(answerError(deps))
  return router
}

function authorized({ auth }: Pick<FunctionDeps, 'auth'>): RequestHandler {
  return (req, res, next) => {
    res.set('Cache-Control', 'no-store')
    auth.authorizeApp({ id: req.get('x-lc-id'), key: req.get('x-lc-key'), sign: req.get('x-lc-sign') })
    next()
  }
}

async function call(fn: NamedFunction, request: FunctionRequest, callMs: number): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new FunctionError('The request timed out on the server.', { status: 503, code: 124 })), callMs)
  })
  try {
    // A function that throws at once fails as one that rejects.
    return await Promise.race([(async () => fn(request))(), late])
  } finally {
    clearTimeout(timer)
  }
}

/** LeanCloud's own numbers, where it has one for the case; all others are ours (`docs/errors.md`). */
const CODES: Partial<Record<ErrorCode, number>> = { UNAUTHORIZED: 401, NOT_FOUND: 1, INTERNAL: 1 }

function answerError({ log, metrics }: Pick<FunctionDeps, 'log' | 'metrics'>): ErrorRequestHandler {
  return (thrown: unknown, req, res, next) => {
    if (res.headersSent) {
      next(thrown)
      return
    }
    if (thrown instanceof FunctionError) {
      res.status(thrown.status).json({ code: thrown.code, error: thrown.message })
      return
    }
    const { code, errorCode, reason } = toRollcallError(thrown)
    const { status } = ERRORS[code]
    metrics.errors.inc({ code })
    if (code === 'INTERNAL') log.error({ err: thrown, method: req.method, path: req.baseUrl + req.path }, 'a function failed')
    if (status === 503) res.set('Retry-After', '1')
    res.status(status).json({ code: CODES[code] ?? errorCode, error: code === 'UNAUTHORIZED' ? 'Unauthorized.' : reason })
  }
}
