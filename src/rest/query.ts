import type { Request } from 'express'

import { RollcallError } from '../protocol/errors.js'

/** One query parameter, or undefined where it is not there. PRESENCE_INVALID_ARGUMENT when it comes twice or too long. */
export function queryText(req: Request, name: string, maxLength = 1_024): string | undefined {
  const value = req.query[name]
  if (value === undefined) return undefined
  if (typeof value !== 'string') throw new RollcallError('PRESENCE_INVALID_ARGUMENT', `${name} is given once`)
  if (value.length > maxLength) throw new RollcallError('PRESENCE_INVALID_ARGUMENT', `${name} has at most ${maxLength} characters`)
  return value
}

/** A query parameter that is true or false; just its name means true. */
export function queryFlag(req: Request, name: string): boolean {
  const value = queryText(req, name)
  if (value === undefined || value === 'false') return false
  if (value === 'true' || value === '') return true
  throw new RollcallError('PRESENCE_INVALID_ARGUMENT', `${name} is true or false`)
}
