import type { Receiver } from '../protocol/webhooks.js'
import { HttpReceiver } from './http-receiver.js'

/** How the store names a receiver: clusters with different apps may share a Redis. App ids have no colon. */
export function keyOf(app: string, receiver: string): string {
  return `${app}:${receiver}`
}

/** The reverse of {@link keyOf}. */
export function receiverOf(app: string, key: string): string {
  return key.slice(app.length + 1)
}

/** @throws TypeError for what is no receiver, and for a name that is taken. */
export function checkReceiver(receiver: Receiver, others: readonly Receiver[]): void {
  if (typeof receiver?.deliver !== 'function' || !/^[A-Za-z0-9._-]{1,64}$/.test(receiver.name)) {
    throw new TypeError('a receiver has a function "deliver" and a name of 1 to 64 of the characters A-Z a-z 0-9 . _ -')
  }
  if (others.some(({ name }) => name === receiver.name)) throw new TypeError(`there is a receiver named ${receiver.name} already`)
}

/** The servers that the configuration names. */
export function httpReceivers(config: {
  readonly webhookUrls: readonly string[]
  readonly webhookSecret: string | null
  readonly webhookAllowPrivate: boolean
}): readonly HttpReceiver[] {
  const { webhookUrls, webhookSecret: secret, webhookAllowPrivate: allowPrivate } = config
  return secret === null ? [] : webhookUrls.map((url) => new HttpReceiver({ url, secret, allowPrivate }))
}
