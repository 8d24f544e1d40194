/** Who, in TIM's words: `node` is the account. */
export interface Tid {
  readonly node: string
  readonly domain?: string
  readonly resource?: string
  readonly termtyp?: number
}

/** What presence handlers are given, as JSON: what is empty is left out. Bytes in `extra` are base64. */
export class TimPresence {
  id?: string
  /** Set by the server alone: the account's last session has ended. */
  offline?: boolean
  /** 1 asks for an answer, 2 is one. */
  subStatus?: number
  /** Who it is from: the server's word, in everything that a handler is given. */
  fromTid!: Tid
  toTid?: Tid
  toList?: readonly string[]
  show?: number
  status?: string
  extend?: Readonly<Record<string, string>>
  extra?: Readonly<Record<string, string>>
}

/** What became of a call. Handlers hear of failures only, as JSON. */
export interface TimAck {
  readonly ok: boolean
  /** What was called: {@link TIM_TYPES}. */
  readonly timType: number
  readonly error?: { readonly code: number; readonly info: string }
  /** The account that a presence could not be told to. */
  readonly n?: string
}

/** What message handlers are given of friends and of who wants to be one, as JSON. */
export interface TimMessage {
  readonly id: string
  /** 1: from the server. */
  readonly msType: number
  /** 4: it is about the roster. */
  readonly odType: number
  /** {@link ROSTER_NOTICES}. */
  readonly bnType: number
  readonly fromTid: Tid
  /** What came with a friend request. */
  readonly dataString?: string
  /** Milliseconds since the epoch. */
  readonly timestamp: number
}

/** What node handlers are given, as JSON: the accounts of a roster (`ntype` 1), or those that are blocked (8). */
export interface TimNodes {
  readonly ntype: number
  readonly nodelist: readonly string[]
}

/** Bytes, or their base64. */
export type Extra = Readonly<Record<string, Uint8Array | ArrayBuffer | string>>

export const TIM_TYPES = { auth: 16, broadPresence: 19, logout: 20, business: 41, presence: 91 } as const

/** The `bnType` of each notice about the roster. */
export const ROSTER_NOTICES = { REQUEST: 4, FRIENDS: 5, REMOVED: 6, BLOCKED: 7 } as const

export const NODE_LISTS = { roster: 1, blocked: 8 } as const
