import { expect, test } from '@jest/globals'

import { http } from '../support/http.js'
import { useCluster } from '../support/node.js'
import { connectPlain } from '../support/plain.js'

/** More than a page has, and more keys than Redis looks at in one go. */
const CHANNELS = 600
const cluster = useCluster({ limits: { channelsPerClient: CHANNELS } })

test('all channels are listed, page by page: the cursor of each answer names the next', async () => {
  const ada = await connectPlain(cluster.scope, 'ada', cluster.a)
  const names = Array.from({ length: CHANNELS }, (_, i) => `room ${i}`)
  await ada.must('resume', { channels: names.map((channelName) => ({ channelName, withPresence: false })) })

  const listed = new Set<string>()
  let cursor = ''
  let pages = 0
  do {
    const { status, json } = await http(cluster.b.port, `/v1/channels?cursor=${encodeURIComponent(cursor)}`)
    expect(status).toBe(200)
    const page = json as { readonly channels: readonly { readonly channelName: string }[]; readonly cursor: string }
    for (const { channelName } of page.channels) listed.add(channelName)
    cursor = page.cursor
    pages += 1
  } while (cursor !== '')
  expect(pages).toBeGreaterThan(1)
  expect([...listed].sort()).toEqual(names.sort())
})
