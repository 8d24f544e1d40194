import { RtmClient, type RtmParameters } from './rtm-client.js'

export { CODES, NOT_LOGGED_IN, RtmError } from './errors.js'
export { LocalInvitation, type LocalInvitationEvents } from './local-invitation.js'
export { RemoteInvitation, type RemoteInvitationEvents } from './remote-invitation.js'
export { RtmClient, type LoginParameters, type RtmClientEvents, type RtmParameters } from './rtm-client.js'
export type * from './types.js'

/** What this module is, to those who import it whole: `ArRTM`. */
const ArRTM = {
  /** Opens nothing yet: see {@link RtmClient.login}. */
  createInstance: (appId: string, parameters?: RtmParameters | null): RtmClient => new RtmClient(appId, parameters),
}

export default ArRTM
