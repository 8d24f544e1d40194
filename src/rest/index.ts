export { createApp } from './app.js'
export type { RestDeps } from './deps.js'
export { createHttpServer } from './server.js'
