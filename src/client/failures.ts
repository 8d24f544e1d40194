import { RollcallError } from '../protocol/errors.js'

/** Says of an error which operation it stopped. */
export function during<T>(operation: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw error instanceof RollcallError ? error.during(operation) : error
  }
}

/** The reply never came: whether the server has done it is not known. */
export function isUnanswered(error: unknown): boolean {
  return error instanceof RollcallError && (error.code === 'PRESENCE_OPERATION_TIMEOUT' || error.code === 'PRESENCE_REQUEST_CANCELLED')
}
