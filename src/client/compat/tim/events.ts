import type { RosterNotice, StatusNotice } from '../../index.js'
import { ROSTER_NOTICES, type TimMessage, type TimPresence } from './types.js'

/** Zero, as everything that is empty, is left out (`001`). */
export function presenceOf({ from, id, offline, subStatus, show, status, extend, extra }: StatusNotice): TimPresence {
  return {
    id,
    ...(offline === true && { offline }),
    ...(subStatus !== undefined && subStatus !== 0 && { subStatus }),
    fromTid: { node: from },
    ...(show !== undefined && show !== 0 && { show }),
    ...(status !== undefined && status !== '' && { status }),
    ...(extend !== undefined && Object.keys(extend).length > 0 && { extend }),
    ...(extra !== undefined && Object.keys(extra).length > 0 && { extra }),
  }
}

export function messageOf({ type, userId, message, timestamp }: RosterNotice): TimMessage {
  const bnType = ROSTER_NOTICES[type]
  return {
    id: `${timestamp}-${bnType}-${userId}`,
    msType: 1,
    odType: 4,
    bnType,
    fromTid: { node: userId },
    ...(message !== undefined && message !== '' && { dataString: message }),
    timestamp,
  }
}
