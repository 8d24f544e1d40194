import { z } from 'zod'

import { CommandError } from './errors.js'

/** What of the API's replies the commands rely on; a newer node may say more. */
const occupant = z.looseObject({ userId: z.string(), states: z.record(z.string(), z.string()), statesCount: z.number() })

export const errorReply = z.looseObject({ error: z.looseObject({ code: z.string(), message: z.string(), remediation: z.string() }) })

export const membersReply = z.looseObject({ totalOccupancy: z.number(), occupants: z.array(occupant), nextPage: z.string(), version: z.number() })

export const channelsReply = z.looseObject({
  totalChannel: z.number(),
  channels: z.array(z.looseObject({ channelName: z.string(), channelType: z.string() })),
})

export const nodesReply = z.looseObject({
  nodes: z.array(z.looseObject({ nodeId: z.string(), leaseMs: z.number(), memberships: z.number(), self: z.boolean() })),
})

export const disconnectReply = z.looseObject({ sessions: z.number() })

/** Throws CommandError for an answer of another shape. */
export function read<T>(schema: z.ZodType<T>, answer: unknown): T {
  const result = schema.safeParse(answer)
  if (!result.success) throw new CommandError('the node answered in a way that this version of the command does not understand')
  return result.data
}
