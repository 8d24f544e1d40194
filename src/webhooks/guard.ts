import { lookup, type LookupAddress } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

/** What IPv6 has given out for the Internet; the rest is reserved, private, or carries an IPv4 address. */
const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR('2000::/3')

/** Whether an address is one of the public Internet: not this machine, its network, or what stands for either. */
export function isPublic(address: string): boolean {
  if (isIP(address) === 0) return false
  const parsed = ipaddr.process(address)
  if (parsed.range() !== 'unicast') return false
  return parsed instanceof ipaddr.IPv4 || parsed.match(GLOBAL_IPV6)
}

/** A receiver's address is not one that may be connected to. */
export class RefusedAddressError extends Error {
  constructor(host: string) {
    super(`${host} has no public address (ROLLCALL_WEBHOOK_ALLOW_PRIVATE)`)
    this.name = 'RefusedAddressError'
  }
}

/** An address that a URL names itself is connected to without any lookup. */
export function checkLiteral(host: string): void {
  const address = host.replace(/^\[|\]$/g, '')
  if (isIP(address) !== 0 && !isPublic(address)) throw new RefusedAddressError(host)
}

/**
 * Resolves names to public addresses only. It hands its caller the very addresses that were checked, so a name that resolves to another
 * one a moment later (DNS rebinding) gains nothing.
 */
export const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error: NodeJS.ErrnoException | null, found: LookupAddress[]) => {
    const permitted = error === null ? found.filter(({ address }) => isPublic(address)) : []
    const [first] = permitted
    if (first === undefined) callback(error ?? new RefusedAddressError(hostname), '', 0)
    else if (options.all === true) callback(null, permitted)
    else callback(null, first.address, first.family)
  })
}
