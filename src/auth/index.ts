export { createAuth, type Auth, type AuthConfig } from './auth.js'
export { ACTIONS, parseChannelRules, type Action, type ChannelRule, type Grant } from './grant.js'
