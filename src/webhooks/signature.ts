import { createHmac } from 'node:crypto'

/**
 * The signature of Standard Webhooks 1.0 (`v1`, symmetric): HMAC-SHA256 over id, time and body, so that none of them can be exchanged.
 *
 * @param secret `whsec_` and base64
 * @param timestamp seconds, as sent in `webhook-timestamp`
 */
export function sign(secret: string, id: string, timestamp: number, body: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
}
