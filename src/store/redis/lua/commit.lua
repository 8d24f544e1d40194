-- Applies an ordered batch of ops of one partition, whole or not at all, and publishes once per channel touched.
--
-- KEYS  1 clock, 2 leases, 3 due, 4 owned:<node>, 5 status (a channel of pub/sub), 6 outbox, 7 written (another one), 8 timers,
--       then as ARGV names them by index: owned:<other>, and for each channel members, sessions, events (in a row), and
--       where:<user>, or of a USER channel seen, gone, inbox, invitations and roster:<user> (in a row)
-- ARGV  1 node, 2 number, 3 life, 4 heartbeat period (us), 5 lifetime of keys (s), 6 most entries of the outbox, 7 the app
--       whose receivers this node has, 8 the app whose users' friends are not told who is gone (each may be empty), 9 count of other nodes, then node and key index for each of those, then 12 for each op:
--       kind, members key index, where key index (negative: seen), channel id, user, session, attach, timeout (us), revision,
--       joined at, states, how
--       (where attach stands, a placeholder has the version that its feed has seen; where states stand, ops on a lease have its
--       node, and an eviction its reason; how is `policy,most` of a login, and ends with 'again' for who returns)
-- reply {'done', clock, result...}, or a refusal that changed nothing: {'life'}, {'lease'}, {'number'},
--       {'owners', node...} (declare owned:<node> too and send it again)
-- a result: {status, version, attach, superseded, channel life, more, revision, joined at, states, marks}; more: of a login the sessions
--       that it replaced, each `node,session,attach;`, and why one that returns may not; marks: of a login 'm' and 'i' when messages and
--       invitations wait, of what ends a user's last session 'f' when friends are to be told (a farewell under timers)
-- event on events:<channel>: fields joined by NUL: life, channel life, previous, time (ms), then 6 for each change:
--       kind, version, user, joined at, states, session (nothing is published of USER channels)
-- status: fields joined by NUL: life, previous, then 4 for each change: version, USER channel, standing, last seen (ms)
-- an entry of the outbox, in its field `e`: fields joined by NUL: life, sequence, version, time (ms), kind, channel id, user, states,
--       close code, reason (of `online`: '1' when it replaced another session)

local clockKey, leasesKey, dueKey, ownedKey, statusKey, outboxKey, writtenKey, timersKey = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local node, number, life, period, ttl = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), ARGV[5]
local outboxMost, quiet = tonumber(ARGV[6]), ARGV[8] .. ':'
local OP, NUL = 12, '\0'
local DUE, LEAVING = '-', '~' -- holders of a session that no node vouches for: ends as timeout, ends as leave
local SEEN, GONE = 604800, 86400 -- for so long (s) it is known that somebody was here, and that a session may not return
local OFFLINE, UNREACHABLE, ONLINE = 0, 1, 2

local function text(n) return string.format('%.0f', n) end
local function vacant(hash) return redis.call('HLEN', hash) == redis.call('HEXISTS', hash, '') end -- nothing but its own '' is left

-- 1. May this batch be executed at all?
local c = redis.call('HMGET', clockKey, 'life', 'now', 'time', 'replid', 'hold', 'fresh', 'number:' .. node, 'due', 'emptied', 'search', 'status', 'sequence', 'receiving')
local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
if c[1] ~= life or c[4] ~= replid then return {'life'} end
if tonumber(redis.call('ZSCORE', leasesKey, node) or 0) <= 0 then return {'lease'} end
if number <= tonumber(c[7] or 0) then return {'number'} end

local t = redis.call('TIME')
local time = tonumber(t[1]) * 1000000 + tonumber(t[2])
local step = math.max(0, time - tonumber(c[3]))
local now, hold, fresh, dues, emptied, search = tonumber(c[2]), tonumber(c[5]), tonumber(c[6]), tonumber(c[8] or 0), tonumber(c[9] or 0), c[10] or ''
local statusVersion, sequence = tonumber(c[11] or 0), tonumber(c[12] or 0)
-- Whose events are kept, whichever app's node makes or ends something: `:app:app:`.
local receiving = (c[13] or ':') .. ARGV[7] .. ':'
if step > 1.5 * period then -- Redis stood still, or its clock jumped: nobody's deadline runs out because of that
  step = 1.5 * period
  hold = math.max(hold, now + step + 2 * period)
end
now = math.floor(now + step)
local function tick() now = now + 1; return now end

local owned, at = {[node] = ownedKey}, 10
for _ = 1, tonumber(ARGV[9]) do
  owned[ARGV[at]] = KEYS[tonumber(ARGV[at + 1])]
  at = at + 2
end

-- 2. Read what the ops touch; nothing is written before all of it is known.
-- #include commit/channels.lua
-- #include commit/users.lua

local TAKES = {join = true, resume = true, assert = true, leave = true, evict = true}
local unknown = {}
local function declared(entry)
  if entry and alive(entry) and not owned[entry.holder] then unknown[#unknown + 1] = entry.holder end
end
for i = at, #ARGV, OP do
  local index, where = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  if index > 0 then
    local ch = where < 0 and userAt(index, -where) or channelAt(index)
    local u = memberAt(ch, ARGV[i + 4])
    if TAKES[ARGV[i]] then declared(u.sessions[ARGV[i + 5]]) end
    for _, id in ipairs(where < 0 and replacedBy(ch, ARGV[i + 11], ARGV[i + 5], ARGV[i + 10]) or {}) do declared(ch.users[id].sessions[id]) end
  end
end
if #unknown > 0 then return {'owners', unpack(unknown)} end

-- 3. Decide, op by op. Only the small shared keys (due, owned, where, leases) are written on the way.
local grewDue, grewOwned, left = false, false, false
local statuses, statusBefore = {}, statusVersion

-- #include commit/outbox.lua
-- #include commit/changes.lua
-- #include commit/ops.lua

local reply = {'done', ''}
for i = at, #ARGV, OP do
  local index, where = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local op = {kind = ARGV[i], how = ARGV[i + 11], where = where > 0 and KEYS[where] or nil, channel = ARGV[i + 3], user = ARGV[i + 4], session = ARGV[i + 5],
    attach = tonumber(ARGV[i + 6]), timeout = tonumber(ARGV[i + 7]), revision = tonumber(ARGV[i + 8]), joined = tonumber(ARGV[i + 9]), states = ARGV[i + 10]}
  local ch = index > 0 and channels[index] or nil
  if ch and ch.lost and REPAIRS[op.kind] then -- what is left of it vouches for nothing: begin anew
    redis.call('DEL', ch.members, ch.sessions)
    ch.lost, ch.life, ch.version, ch.previous, ch.ended, ch.fresh = false, nil, 0, 0, 0, now + 2 * period
  end
  if ch and ch.lost then
    local early = op.kind == 'expire' and (now < hold or tonumber(redis.call('ZSCORE', dueKey, membership(op)) or 0) > now)
    if ENDS[op.kind] and not early then strike(ch, op) end
    reply[#reply + 1] = result('lost', ch)
  else
    if ch then
      op.u = ch.users[op.user]
      op.entry = op.u.sessions[op.session]
    end
    local info = ch and op.u.states
    reply[#reply + 1] = act[op.kind](ch, op)
    if ch and ch.seen then turn(ch, op, info, reply[#reply]) end
  end
end

-- 4. Write the channels back, and publish.
for _, ch in ipairs(order) do
  local wrote = false
  for user, u in pairs(ch.users) do
    if u.dirty then
      wrote = true
      if u.count == 0 or not u.revision then
        redis.call('HDEL', ch.members, user)
        redis.call('HDEL', ch.sessions, user)
      else
        local list = {}
        for session, e in pairs(u.sessions) do list[#list + 1] = table.concat({session, text(e.attach), text(e.timeout), e.holder}, ',') end
        redis.call('HSET', ch.members, user, text(u.revision) .. ' ' .. text(u.joined) .. ' ' .. u.states)
        redis.call('HSET', ch.sessions, user, table.concat(list, ';'))
      end
    end
  end
  if wrote then
    renew(ch)
    if vacant(ch.members) then
      redis.call('DEL', ch.members, ch.sessions)
      emptied = ch.version
      ch.vacated = not ch.began
    else
      redis.call('HSET', ch.members, '', table.concat({ch.life, text(ch.version), text(ch.ended), text(ch.fresh)}, ' '))
      redis.call('HSET', ch.sessions, '', ch.life)
      redis.call('EXPIRE', ch.members, ttl, 'NX')
      redis.call('EXPIRE', ch.sessions, ttl, 'NX')
      ch.occupied = ch.began
    end
    if #ch.changes > 0 then
      redis.call('SPUBLISH', ch.events, table.concat({life, ch.life, text(ch.previous), text(math.floor(time / 1000)), unpack(ch.changes)}, NUL))
    end
  end
end
writeOutbox()
if #statuses > 0 then redis.call('SPUBLISH', statusKey, table.concat({life, text(statusBefore), unpack(statuses)}, NUL)) end
if grewDue then redis.call('EXPIRE', dueKey, ttl, 'NX') end
if grewOwned then redis.call('EXPIRE', ownedKey, ttl, 'NX') end
redis.call('HSET', clockKey, 'now', text(now), 'time', text(time), 'hold', text(hold), 'due', text(dues), 'emptied', text(emptied),
  'search', search, 'status', text(statusVersion), 'sequence', text(sequence), 'number:' .. node, ARGV[2])
if left then redis.call('HDEL', clockKey, 'number:' .. node) end -- it has given its own lease up: this was its last call
reply[2] = text(now)
return reply
