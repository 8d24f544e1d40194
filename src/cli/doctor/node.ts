import { setTimeout as pause } from 'node:timers/promises'

import { z } from 'zod'

import type { Auth } from '../../auth/index.js'
import type { Experience } from './balancer.js'
import { fail, messageOf, ok, skip, warn, type Check } from './check.js'
import { ask, jsonOf } from './http.js'
import { PollingSession } from './polling-session.js'
import { isLoopback } from './settings.js'

const alive = z.looseObject({ nodeId: z.string() })
const readyz = z.looseObject({ checks: z.looseObject({ commands: z.boolean(), service: z.boolean(), draining: z.boolean() }) })

const SECOND_LOOK_MS = 1_000

/** Why nodes refuse logins, and what to do about it. */
const LOGIN_ADVICE: Readonly<Record<string, string>> = {
  INVALID_TOKEN: 'ROLLCALL_SECRET of this environment is not that of the node (or ROLLCALL_APP_ID): give all the same.',
  TOKEN_EXPIRED: 'The clocks of this machine and the node are too far apart: synchronize them.',
  INVALID_APP_ID: 'ROLLCALL_APP_ID of this environment is not that of the node: give all the same.',
}

/** Who answers at the address; null when nobody, or no node, does. */
export async function answering(url: string): Promise<string | null> {
  try {
    const said = alive.safeParse(jsonOf((await ask(`${url}/livez`)).body))
    return said.success ? said.data.nodeId : null
  } catch {
    return null
  }
}

/** `/readyz`: whether clients may be sent there. A node may be late for a moment: what counts is that it still is. */
export async function ready(url: string): Promise<Check> {
  const first = await readiness(url)
  if (first.status === 'ok') return first
  await pause(SECOND_LOOK_MS)
  return readiness(url)
}

async function readiness(url: string): Promise<Check> {
  const name = 'ready'
  let answer
  try {
    answer = await ask(`${url}/readyz`)
  } catch (error) {
    return fail(name, `${url} does not answer: ${messageOf(error)}`, 'Is a node, or a balancer, running there?')
  }
  const said = readyz.safeParse(jsonOf(answer.body))
  if (answer.status === 200 && said.success) return ok(name, `${url} is ready`)
  if (!said.success) return fail(name, `${url}/readyz answered ${answer.status}: no Rollcall node`, 'A balancer that answers itself has no node that is ready; otherwise the address is another one.')
  const { commands, service, draining } = said.data.checks
  const reasons = [...(commands ? [] : ['Redis does not answer its commands']), ...(service ? [] : ['its heartbeats or its subscription are late']), ...(draining ? ['it is leaving'] : [])]
  return fail(name, `a node is not ready: ${reasons.join(', ')}`, draining ? 'A balancer that checks /readyz sends nobody there.' : 'See the node\'s log, and the checks of Redis here.')
}

/** `/v1` with the key that this environment or the command line has. */
export async function apiKey(url: string, key: string | null): Promise<Check> {
  const name = 'api-key'
  const { status } = await ask(`${url}/v1/nodes`, key === null ? {} : { headers: { authorization: `Bearer ${key}` } })
  if (status === 200 && key !== null) {
    // Only a wrong key tells whether the right one is needed.
    const open = (await ask(`${url}/v1/nodes`)).status === 200
    return open ? fail(name, 'the node answers /v1 without the key that this environment has', 'Give the node ROLLCALL_API_KEY: without it everybody who reaches it may use /v1.') : ok(name, 'the node takes the key and nothing else')
  }
  if (status === 200) {
    const detail = '/v1 is open: whoever reaches the node can read who is where and end sessions'
    return isLoopback(new URL(url).hostname) ? ok(name, '/v1 is open, to whoever reaches this loopback address') : warn(name, detail, 'Set ROLLCALL_API_KEY on the nodes.')
  }
  if (status !== 401) return fail(name, `/v1/nodes answered ${status}`, 'See the balancer\'s and the nodes\' logs.')
  return key === null
    ? skip(name, 'the node wants a key, or has /v1 closed (production without ROLLCALL_API_KEY)', 'Give the key: --api-key or ROLLCALL_API_KEY.')
    : fail(name, 'the node does not take this key', 'Compare ROLLCALL_API_KEY (or --api-key) with that of the nodes; in production a node without one keeps /v1 closed.')
}

/** Whether the node's secret is that of this environment. Asked last: it knows what the connections have shown. */
export async function login(url: string, { auth, appId, experience }: { readonly auth: Auth; readonly appId: string; readonly experience: Experience }): Promise<Check> {
  const name = 'login'
  const { refused, polling, websocket } = experience
  if (refused !== null) {
    const wanted = !auth.required && refused.code === 'INVALID_TOKEN' ? 'The node wants a token and this environment has no ROLLCALL_SECRET to sign one.' : undefined
    return fail(name, `the node refuses a login: ${refused.code}: ${refused.reason}`, wanted ?? LOGIN_ADVICE[refused.code] ?? 'See docs/errors.md.')
  }
  if (polling !== 'works' && websocket !== 'works') return skip(name, 'no connection came as far as that')
  if (!auth.required) return ok(name, 'development mode: the node lets in whoever comes')
  if (polling !== 'works') return ok(name, 'the node takes a token that was signed with this environment\'s secret')
  const stranger = new PollingSession(url, false)
  const letIn = await stranger.login({ appId, userId: 'rollcall-doctor', presenceTimeout: 1_000 }).then(() => true, () => false)
  if (!letIn) return ok(name, 'the node takes a token that was signed with this environment\'s secret, and nobody without one')
  await stranger.logout().catch(() => undefined)
  return fail(name, 'the node lets in whoever comes, though this environment has a secret', 'Start the nodes with ROLLCALL_SECRET.')
}
