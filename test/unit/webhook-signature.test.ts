import { expect, test } from '@jest/globals'
import { Webhook } from 'standardwebhooks'

import { sign } from '../../src/webhooks/signature.js'

const SECRET = `whsec_${Buffer.from('a key of twenty-four byte').toString('base64')}`
const BODY = '{"type":"_clientOnline","data":{"peerId":"ädä"}}'

test('it is what the package that receivers use computes, and takes', () => {
  const seconds = Math.floor(Date.now() / 1000)
  const signature = sign(SECRET, 'msg-1-online', seconds, BODY)
  const webhook = new Webhook(SECRET)
  expect(signature).toBe(webhook.sign('msg-1-online', new Date(seconds * 1000), BODY))
  const headers = { 'webhook-id': 'msg-1-online', 'webhook-timestamp': String(seconds), 'webhook-signature': signature }
  expect(webhook.verify(BODY, headers)).toEqual(JSON.parse(BODY))
})

test.each([
  ['the id', { 'webhook-id': 'msg-2-online' }, BODY],
  ['the time', { 'webhook-timestamp': String(Math.floor(Date.now() / 1000) - 1) }, BODY],
  ['the body', {}, BODY.replace('ädä', 'bob')],
])('another value for %s is not covered by it', (_, other, body) => {
  const seconds = Math.floor(Date.now() / 1000)
  const headers = { 'webhook-id': 'msg-1-online', 'webhook-timestamp': String(seconds), 'webhook-signature': sign(SECRET, 'msg-1-online', seconds, BODY) }
  expect(() => new Webhook(SECRET).verify(body, { ...headers, ...other })).toThrow()
})
