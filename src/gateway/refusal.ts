import { RollcallError, type ErrorBody } from '../protocol/errors.js'
import type { Logger } from '../log.js'

/** What a client is told of an error. What is no refusal of ours is a defect: it is logged here and not shown. */
export function refusalOf(error: unknown, operation: string, log: Logger): ErrorBody {
  if (error instanceof RollcallError) return error.body(operation)
  log.error({ err: error, operation }, 'a request failed unexpectedly')
  return new RollcallError('INTERNAL', 'the server failed to do this').body(operation)
}
