import type { Invariant } from '../model/evidence.js'

/** What has to fail once the code is broken. */
export type Check =
  /** A fault of the harness (`test/faults`), once for each of so many seeds. */
  | { readonly by: 'fault'; readonly name: string; readonly seed: number; readonly runs: number }
  /** Random histories (`test/model`). */
  | { readonly by: 'histories'; readonly seed: number; readonly count: number }
  /** A test, for what no history shows. */
  | { readonly by: 'test'; readonly file: string; readonly name: string }

/** One place in the code that is made wrong on purpose, and the check that has to notice. */
export interface Breakage {
  readonly invariant: Invariant
  readonly what: string
  readonly file: string
  /** Stands in the file exactly once. */
  readonly find: string
  readonly replace: string
  readonly check: Check
}

const LUA = 'src/store/redis/lua'
const histories = { by: 'histories', seed: 7, count: 12 } as const
const fault = (name: string, seed = 31, runs = 2) => ({ by: 'fault', name, seed, runs }) as const
const test = (file: string, name: string) => ({ by: 'test', file, name }) as const

export const BREAKAGES: readonly Breakage[] = [
  {
    invariant: 'I1',
    what: 'watchers are not told of leaves',
    file: 'src/gateway/presence-events.ts',
    find: 'const events = [event(EVENT_OF[effect.kind], before)]',
    replace: "const events = effect.kind === 'leave' ? [] : [event(EVENT_OF[effect.kind], before)]",
    check: histories,
  },
  {
    invariant: 'I1',
    what: 'nobody audits: what no event tells is never found',
    file: 'src/feeds/auditor.ts',
    find: 'this.#looking ??= this.#look()',
    replace: 'this.#looking ??= Promise.resolve()',
    check: fault('key-lost-members'),
  },
  {
    invariant: 'I2',
    what: 'the grace of a lost connection is a quarter of presenceTimeout',
    file: `${LUA}/commit/ops.lua`,
    find: 'makeDue(op, entry, now + op.timeout, DUE)',
    replace: 'makeDue(op, entry, now + op.timeout / 4, DUE)',
    check: histories,
  },
  {
    invariant: 'I2',
    what: 'nobody sweeps: what is due never ends',
    file: 'src/sweeper/sweeper.ts',
    find: 'if (lane === undefined || this.#closed) return\n',
    replace: 'if (lane !== undefined || this.#closed) return\n',
    check: { ...histories, count: 24 },
  },
  {
    invariant: 'I2',
    what: 'a token that runs out ends nothing',
    file: 'src/gateway/token-clock.ts',
    find: 'this.#at(expiresAt, this.events.onExpired)',
    replace: '',
    check: { ...histories, count: 24 },
  },
  {
    invariant: 'I2',
    what: 'a session whose token runs out is kept as if its connection had been lost',
    file: 'src/gateway/connection.ts',
    find: "this.expel('expired')",
    replace: "this.drop('expired')",
    check: { ...histories, count: 24 },
  },
  {
    invariant: 'I3',
    what: 'a leave of one of two tabs ends the member',
    file: `${LUA}/commit/changes.lua`,
    find: 'if op.u.count > 0 or not op.u.revision then return end',
    replace: 'if not op.u.revision then return end',
    check: histories,
  },
  {
    invariant: 'I3',
    what: 'what Redis lost counts as ended elsewhere',
    file: 'src/presence/reconcile.ts',
    find: '(entry === null && (circumstances.lossy || found.listed))',
    replace: 'false',
    check: test('test/cluster/redis-loss.test.ts', 'Redis loses what it had'),
  },
  {
    invariant: 'I4',
    what: 'a join is told twice',
    file: 'src/gateway/presence-events.ts',
    find: 'const events = [event(EVENT_OF[effect.kind], before)]',
    replace: "const events = Array.from({ length: effect.kind === 'join' ? 2 : 1 }, () => event(EVENT_OF[effect.kind], before))",
    check: histories,
  },
  {
    invariant: 'I4',
    what: 'a session is told of what it did itself',
    file: 'src/gateway/presence-events.ts',
    find: "return effect.kind !== 'state' || effect.session === to.sessionId",
    replace: "return effect.kind !== 'state'",
    check: histories,
  },
  {
    invariant: 'I5',
    what: 'a change does not raise the version',
    file: `${LUA}/commit/changes.lua`,
    find: 'ch.version = tick()',
    replace: 'ch.version = ch.version > 0 and ch.version or tick()',
    check: histories,
  },
  {
    invariant: 'I5',
    what: 'what a feed missed is fetched, and its watchers get no SNAPSHOT',
    file: 'src/feeds/channel-feed.ts',
    find: 'this.context.onReplaced(this)',
    replace: '',
    check: fault('subscribers-cut'),
  },
  {
    invariant: 'I6',
    what: 'a change of states is taken whatever it is based on',
    file: `${LUA}/commit/ops.lua`,
    find: "local based = op.revision == u.revision or (op.revision == 0 and u.states == '')",
    replace: 'local based = true',
    check: histories,
  },
  {
    invariant: 'I6',
    what: 'an old connection takes its session back',
    file: `${LUA}/commit/ops.lua`,
    find: "if entry and op.attach and entry.attach > op.attach then return result('stale', ch) end",
    replace: '',
    check: test('test/contract/store-single.test.ts', 'I6: an older attach does nothing'),
  },
  {
    invariant: 'I6',
    what: 'a batch is executed after a later one',
    file: `${LUA}/commit.lua`,
    find: "if number <= tonumber(c[7] or 0) then return {'number'} end",
    replace: '',
    check: test('test/contract/store-single.test.ts', 'I6: a batch that comes after a later call is refused'),
  },
  {
    invariant: 'I7',
    what: 'the end of a member is told twice',
    file: `${LUA}/commit/changes.lua`,
    find: '  ch.ended = change(ch, kind, op)\n',
    replace: '  change(ch, kind, op)\n  ch.ended = change(ch, kind, op)\n',
    check: histories,
  },
  {
    invariant: 'I8',
    what: "a node's clock says when a member joined",
    file: 'src/store/redis/codec.ts',
    find: 'String(known?.joinedAt ?? 0)',
    replace: 'String(known?.joinedAt ?? Date.now())',
    check: histories,
  },
  {
    invariant: 'I8',
    what: "a node's clock says when a change was made",
    file: 'src/store/redis/codec.ts',
    find: "const at = numberOf(time, 'event')",
    replace: 'const at = Date.now()',
    check: histories,
  },
  {
    invariant: 'I9',
    what: 'every session asks Redis for something by itself',
    file: 'src/gateway/login.ts',
    find: '  connections.add(opened)\n',
    replace: "  connections.add(opened)\n  setInterval(() => void presence.getState({ channelName: 'x', channelType: 'MESSAGE' }, request.userId).catch(() => undefined), 5_000).unref()\n",
    check: test('test/cluster/idle.test.ts', 'what two nodes ask of Redis while nothing happens'),
  },
  {
    invariant: 'I10',
    what: "the list of a user's channels has no lifetime",
    file: `${LUA}/commit/changes.lua`,
    find: "redis.call('EXPIRE', op.where, ttl, 'NX')",
    replace: '',
    check: test('test/contract/store-single.test.ts', 'I10: every key but the partition count has a lifetime'),
  },
  {
    invariant: 'I11',
    what: 'the backlog of a client has no limit',
    file: 'src/gateway/audience.ts',
    find: 'return watcher.backlogBytes <= this.#options.backlogBytes',
    replace: 'return watcher.backlogBytes >= 0',
    check: test('test/unit/fanout.test.ts', 'is skipped, costs nobody else anything'),
  },
  {
    invariant: 'I12',
    what: 'names need not be in NFC',
    file: 'src/protocol/names.ts',
    find: "if (value.normalize('NFC') !== value) return",
    replace: "if (value.normalize('NFC') === '') return",
    check: test('test/integration/bad-input.test.ts', ' ways'),
  },
  {
    invariant: 'M1',
    what: 'a message counts as received when its sender has waited long enough',
    file: 'src/presence/messages.ts',
    find: 'if (received) return true',
    replace: 'if (received || ms > 0) return true',
    check: fault('nothing'),
  },
  {
    invariant: 'M2',
    what: 'a message is sent to each connection twice',
    file: 'src/gateway/mailroom.ts',
    find: 'this.options.metrics.messagesDelivered.inc()',
    replace: "this.options.metrics.messagesDelivered.inc()\n    socket.emit('message', event)",
    check: fault('nothing'),
  },
  {
    invariant: 'M3',
    what: 'a message may be overtaken by the next one on its way to a connection',
    file: 'src/gateway/mailroom.ts',
    find: 'place.after = message.position\n    this.#send(connection, place, message)',
    replace: 'place.after = message.position\n    setTimeout(() => this.#send(connection, place, message), Math.random() * 50)',
    check: fault('nothing'),
  },
  {
    invariant: 'M4',
    what: 'nobody looks for messages when post was missed',
    file: 'src/gateway/gateway.ts',
    find: 'deps.mail.onMissed((concerns) => mailroom.missed(concerns))',
    replace: '',
    check: fault('network-both-ways'),
  },
  {
    invariant: 'M5',
    what: 'a text is cut off at its first NUL',
    file: 'src/presence/messages.ts',
    find: "text: text.join('\\0')",
    replace: "text: text[0] ?? ''",
    check: fault('nothing'),
  },
  {
    invariant: 'R1',
    what: 'a status is told to everybody whom its sender has added',
    file: `${LUA}/reach.lua`,
    find: "local may = to ~= 'friends' or back == 'f'",
    replace: 'local may = true',
    check: fault('nothing'),
  },
  {
    invariant: 'R2',
    what: 'friends are told twice that somebody is gone',
    file: 'src/presence/broadcasts.ts',
    find: 'await this.#toFriends(app, telling)',
    replace: 'await this.#toFriends(app, telling)\n    await this.#toFriends(app, { ...telling, id: `${telling.id}1` })',
    check: fault('nothing'),
  },
  {
    invariant: 'R2',
    what: 'whose node has missed the post that says who is gone never hears of it',
    file: 'src/gateway/gateway.ts',
    find: 'deps.mail.onMissed((_, gap) => gap !== null && void farewells.catchUp(gap))',
    replace: '',
    check: test('test/integration/farewells-missed.test.ts', 'its clients are told nevertheless, once'),
  },
  {
    invariant: 'R2',
    what: 'nobody is told who is gone',
    file: 'src/presence/broadcasts.ts',
    find: 'await this.#toFriends(app, telling)',
    replace: '',
    check: histories,
  },
  {
    invariant: 'R3',
    what: 'who has one session only is not told',
    file: `${LUA}/reach.lua`,
    find: "redis.call('EXISTS', KEYS[at]) == 1",
    replace: "redis.call('HLEN', KEYS[at]) - redis.call('HEXISTS', KEYS[at], '') > 1",
    check: histories,
  },
  {
    invariant: 'R4',
    what: 'who is removed keeps the other one as a friend',
    file: `${LUA}/tidings.lua`,
    find: "redis.call('HDEL', rosterKey, from)\n",
    replace: '',
    check: histories,
  },
  {
    invariant: 'R4',
    what: 'who was blocked can still ask to be a friend',
    file: 'src/presence/roster.ts',
    find: "if (await this.blocks(peer, userId)) throw new RollcallError('USER_BLOCKED', 'this user has blocked you')",
    replace: '',
    check: histories,
  },
  {
    invariant: 'B1',
    what: 'who was blocked can still send messages',
    file: `${LUA}/message.lua`,
    find: "if string.sub(redis.call('HGET', roster, from) or '', -2) == ' b' then return {'blocked'} end\n",
    replace: '',
    check: histories,
  },
  {
    invariant: 'B1',
    what: 'who was blocked can still invite',
    file: `${LUA}/invitation.lua`,
    find: "  if string.match(redis.call('HGET', rosterKey, caller) or '', '%a$') == 'b' then return {'blocked'} end\n",
    replace: '',
    check: histories,
  },
  {
    invariant: 'V1',
    what: 'an invitation that was received never runs out of time',
    file: 'src/presence/invitations.ts',
    find: 'if (to !== null) await this.#step(',
    replace: "if (to !== null && record.state === 'SENT') await this.#step(",
    check: fault('nothing'),
  },
  {
    invariant: 'V2',
    what: 'an invitation that has ended can still be answered',
    file: 'src/presence/invitation.ts',
    find: 'if (!isOpen(record)) return null\n',
    replace: '',
    check: fault('nothing'),
  },
  {
    invariant: 'V2',
    what: 'of two who answer an invitation at once both are heard',
    file: `${LUA}/invitation.lua`,
    find: "or 0) ~= from then return {'conflict'",
    replace: "or 0) ~= from and from < 2 then return {'conflict'",
    check: histories,
  },
]
