export { createApp } from './app.js'
export type { RestDeps } from './deps.js'
export { FunctionError, Functions, type FunctionRequest, type NamedFunction } from './functions.js'
export { createHttpServer } from './server.js'
