import { RollcallError } from '../protocol/errors.js'
import { StoreRefusedError, UnknownOutcomeError } from './store.js'

/** What a call of the store comes to. PRESENCE_OPERATION_FAILED (not carried out), PRESENCE_OPERATION_TIMEOUT (outcome unknown). */
export async function settled<T>(call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    if (error instanceof StoreRefusedError) throw new RollcallError('PRESENCE_OPERATION_FAILED', 'the store refuses', '', { cause: error })
    if (error instanceof UnknownOutcomeError) throw new RollcallError('PRESENCE_OPERATION_TIMEOUT', 'the store did not answer', '', { cause: error })
    throw error
  }
}
