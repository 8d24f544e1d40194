import { nameOf } from '../peers/types.js'

/** One change as Rollcall words it (docs/protocol.md), so that the transport peers carry as many bytes a change. */
export function changeOf(user: number, value: number): unknown {
  const place = { channelName: 'busy', channelType: 'MESSAGE', life: 'iajb7btdptqpdknf', previous: 1_795_314_510_655_120, version: 1_795_314_510_655_121 }
  const event = {
    eventType: 'REMOTE_STATE_CHANGED',
    ...place,
    publisher: nameOf(user),
    stateChanged: { n: String(value) },
    interval: null,
    snapshot: null,
    timestamp: 1_795_314_510_655,
  }
  return [[event], place]
}
