import { http, type HttpAnswer } from './http.js'
import type { RedisServer } from './redis.js'

interface Where {
  readonly port: number
}

type Headers = Readonly<Record<string, string>>

/** A POST of JSON. */
export async function post({ port }: Where, path: string, body: unknown, headers: Headers = {}): Promise<HttpAnswer> {
  const text = JSON.stringify(body)
  return http(port, path, { method: 'POST', body: text, headers: { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)), ...headers } })
}

/** What `getOnOffStatus` answers, as a client of LeanCloud asks it. */
export async function onOff(node: Where, peerIds: readonly string[], path = '/1.1/functions/getOnOffStatus'): Promise<unknown> {
  const { status, json, text } = await post(node, path, { peerIds }, { 'x-lc-id': 'dev' })
  if (status !== 200) throw new Error(`${path} answered ${status}: ${text}`)
  return (json as { readonly result: unknown }).result
}

export interface AnsweredStatus {
  readonly userId: string
  readonly status: string
  readonly lastSeen: number | null
}

export async function statusOf({ port }: Where, userId: string): Promise<AnsweredStatus> {
  return (await http(port, `/v1/users/${encodeURIComponent(userId)}/status`)).json as AnsweredStatus
}

/** The key that remembers somebody who was here, or undefined. */
export async function seenKey(redis: RedisServer, userId: string): Promise<string | undefined> {
  const [key] = await redis.keys(`rollcall:{*}:seen:dev:${userId}`)
  return key
}
