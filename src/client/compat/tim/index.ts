export { createTimClient, TimClient, type Handler, type TimClientOptions } from './client.js'
export { NODE_LISTS, ROSTER_NOTICES, TIM_TYPES, TimPresence, type Extra, type Tid, type TimAck, type TimMessage, type TimNodes } from './types.js'
