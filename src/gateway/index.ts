export { clusterAdapter } from './adapter.js'
export { createGateway, type Gateway } from './gateway.js'
export { Takeovers } from './takeovers.js'
export type { GatewayDeps, GatewayServer } from './types.js'
