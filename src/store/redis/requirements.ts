import type { Redis } from 'ioredis'
import type { Logger } from '../../log.js'
import { evictionOf, isTooOld, readFacts } from './server-facts.js'

/**
 * What a node asks of each server before it uses it. A policy that evicts keys without a lifetime is refused; one that
 * evicts only keys with one is warned of: the audit puts members back, but later than it should (003.10).
 *
 * @throws Error that names what is wrong and what to do
 */
export async function checkRequirements(servers: readonly Redis[], log: Logger): Promise<void> {
  for (const facts of await Promise.all(servers.map(readFacts))) {
    const { address, product, version, evictionPolicy } = facts
    if (isTooOld(facts)) {
      throw new Error(`${product} at ${address} is ${version ?? 'too old'}; Rollcall needs Redis 7.0 or newer, for sharded pub/sub`)
    }
    if (evictionPolicy === null) continue
    switch (evictionOf(evictionPolicy)) {
      case 'any':
        throw new Error(
          `maxmemory-policy of ${product} at ${address} is ${evictionPolicy}, which drops members of channels when memory runs short. ` +
            'Set it to noeviction, in the server\'s configuration or by CONFIG SET maxmemory-policy noeviction',
        )
      case 'expiring':
        log.warn({ server: address, policy: evictionPolicy }, 'maxmemory-policy may drop members when memory runs short, and they come back late; set it to noeviction')
        break
      case 'safe':
        break
    }
  }
}
