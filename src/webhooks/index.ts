export type { FailedWebhook } from './given-up.js'
export { Webhooks } from './webhooks.js'
