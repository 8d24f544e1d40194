import type { Logger } from '../../log.js'
import type { Handlers } from '../requests.js'
import type { HandlerContext } from './context.js'
import { acceptInvitation, cancelInvitation, getInvitations, invite, refuseInvitation } from './invitations.js'
import { sendMessage } from './messages.js'
import { getUserMetadata, removeUserMetadata, setUserMetadata, updateUserMetadata } from './metadata.js'
import { whereNow, whoNow } from './occupancy.js'
import { queryPeers, subscribePeers, unsubscribePeers } from './peers.js'
import { resume } from './resume.js'
import { getState, removeState, setState, stateCalls } from './state.js'
import { subscribe, unsubscribe } from './subscribe.js'
import { addFriend, blockUser, getRoster, removeFriend } from './roster.js'
import { broadcastStatus, sendStatus } from './status-told.js'
import { renewToken } from './token.js'

/** Every request that a client can make, by its name on the wire. */
export function createHandlers(context: HandlerContext, log: Logger): Handlers {
  const callsOf = stateCalls(context)
  return {
    subscribe: subscribe(context),
    unsubscribe: unsubscribe(context),
    setState: setState(context, callsOf),
    removeState: removeState(context, callsOf),
    getState: getState(context),
    whoNow: whoNow(context),
    whereNow: whereNow(context),
    resume: resume(context, log),
    subscribePeers: subscribePeers(context),
    unsubscribePeers: unsubscribePeers(context),
    queryPeers: queryPeers(context),
    renewToken: renewToken(context),
    setUserMetadata: setUserMetadata(context),
    updateUserMetadata: updateUserMetadata(context),
    removeUserMetadata: removeUserMetadata(context),
    getUserMetadata: getUserMetadata(context),
    addFriend: addFriend(context),
    removeFriend: removeFriend(context),
    blockUser: blockUser(context),
    getRoster: getRoster(context),
    broadcastStatus: broadcastStatus(context),
    sendStatus: sendStatus(context),
    sendMessage: sendMessage(context),
    invite: invite(context),
    cancelInvitation: cancelInvitation(context),
    acceptInvitation: acceptInvitation(context),
    refuseInvitation: refuseInvitation(context),
    getInvitations: getInvitations(context),
  }
}
