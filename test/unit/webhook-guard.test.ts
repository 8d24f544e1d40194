import type { LookupAddress } from 'node:dns'

import { describe, expect, test } from '@jest/globals'

import { checkLiteral, isPublic, publicLookup, RefusedAddressError } from '../../src/webhooks/guard.js'

describe('addresses', () => {
  test.each(['8.8.8.8', '1.1.1.1', '172.15.255.255', '172.32.0.1', '100.63.255.255', '2606:4700:4700::1111', '2a00:1450:4001:829::200e', '::ffff:8.8.8.8'])('%s is public', (address) => {
    expect(isPublic(address)).toBe(true)
  })

  test.each([
    ['this machine', ['127.0.0.1', '127.255.255.255', '::1']],
    ['any of this machine', ['0.0.0.0', '0.1.2.3', '::']],
    ['a private network', ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', 'fc00::1', 'fd12:3456::1', 'fec0::1']],
    ['the link, and with it the metadata of clouds', ['169.254.169.254', 'fe80::1', 'fe80::1%eth0']],
    ['a provider that shares addresses', ['100.64.0.1', '100.127.255.255']],
    ['many', ['224.0.0.1', '239.255.255.255', '255.255.255.255', 'ff02::1']],
    ['what is reserved or for documents', ['192.0.0.1', '192.0.2.1', '198.18.0.1', '198.51.100.1', '203.0.113.1', '240.0.0.1', '2001:db8::1', '100::1']],
    ['an IPv4 address in the clothes of IPv6', ['::ffff:127.0.0.1', '::ffff:10.0.0.1', '::ffff:7f00:1', '::7f00:1', '::ffff:0:7f00:1', '64:ff9b::7f00:1', '64:ff9b:1::1', '2002:7f00:1::', '2001:0:7f00:1::']],
    ['nothing', ['', 'localhost', '1.2.3', '1.2.3.4.5', 'x::y']],
  ])('%s is not', (_, addresses) => {
    expect(addresses.filter(isPublic)).toEqual([])
  })

  test('however a URL writes it, it is recognized', () => {
    const urls = ['http://127.0.0.1/', 'http://2130706433/', 'http://0x7f.1/', 'http://0177.0.0.1/', 'http://127.1/', 'http://[::1]/', 'http://[::ffff:127.0.0.1]/', 'http://[0:0:0:0:0:ffff:7f00:1]/']
    for (const url of urls) expect(() => checkLiteral(new URL(url).hostname)).toThrow(RefusedAddressError)
    for (const url of ['http://8.8.8.8/', 'http://[2606:4700:4700::1111]/', 'http://example.com/']) expect(() => checkLiteral(new URL(url).hostname)).not.toThrow()
  })
})

/** As `net.connect` asks it: for one address, or for all of them. */
function resolved(host: string, all: boolean): Promise<string | readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    publicLookup(host, { all }, (error, address) => (error === null ? resolve(address) : reject(error)))
  })
}

describe('names', () => {
  test.each([true, false])('that lead to this machine are refused (all: %s)', async (all) => {
    await expect(resolved('localhost', all)).rejects.toThrow(RefusedAddressError)
  })

  test('that lead nowhere fail as they do without a guard', async () => {
    await expect(resolved('rollcall.invalid', true)).rejects.toMatchObject({ syscall: 'getaddrinfo' })
  })

  test('public addresses are handed on as they were checked', async () => {
    expect(await resolved('8.8.8.8', false)).toBe('8.8.8.8')
    expect(await resolved('8.8.8.8', true)).toEqual([{ address: '8.8.8.8', family: 4 }])
  })
})
