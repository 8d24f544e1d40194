import { RollcallError, type ErrorCode } from '../protocol/errors.js'
import { StoreRefusedError, UnknownOutcomeError } from './store.js'

/** What a call of the store comes to: `refused` when it was not carried out, `unanswered` when nobody knows. */
export async function settled<T>(call: Promise<T>, refused: ErrorCode = 'PRESENCE_OPERATION_FAILED', unanswered: ErrorCode = 'PRESENCE_OPERATION_TIMEOUT'): Promise<T> {
  try {
    return await call
  } catch (error) {
    if (error instanceof StoreRefusedError) throw new RollcallError(refused, 'the store refuses', '', { cause: error })
    if (error instanceof UnknownOutcomeError) throw new RollcallError(unanswered, 'the store did not answer', '', { cause: error })
    throw error
  }
}
