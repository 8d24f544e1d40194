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
local channels, order = {}, {}
local function channelAt(index)
  local ch = channels[index]
  if ch then return ch end
  ch = {members = KEYS[index], sessions = KEYS[index + 1], events = KEYS[index + 2], users = {}, changes = {}, told = {}, version = 0, ended = 0, fresh = 0}
  local m, s = redis.call('HGET', ch.members, ''), redis.call('HGET', ch.sessions, '')
  if m and s then
    local itsLife, version, ended, freshUntil = string.match(m, '^(%S+) (%d+) (%d+) (%d+)$')
    ch.life, ch.version, ch.ended, ch.fresh, ch.lost = itsLife, tonumber(version), tonumber(ended), tonumber(freshUntil), itsLife ~= s
  elseif m or s or redis.call('EXISTS', ch.members, ch.sessions) > 0 then
    ch.lost = true
  end
  ch.began = not m
  ch.previous = ch.version
  channels[index] = ch
  order[#order + 1] = ch
  return ch
end

local function memberAt(ch, user)
  local u = ch.users[user]
  if u then return u end
  u = {sessions = {}, count = 0}
  if not ch.lost then
    local record = redis.call('HGET', ch.members, user)
    if record then
      local revision, joined, states = string.match(record, '^(%d+) (%d+) (.*)$')
      u.revision, u.joined, u.states = tonumber(revision), tonumber(joined), states
    end
    for session, attach, timeout, holder in string.gmatch(redis.call('HGET', ch.sessions, user) or '', '([^,;]+),(%d+),(%d+),([^;]+)') do
      u.sessions[session] = {attach = tonumber(attach), timeout = tonumber(timeout), holder = holder}
      u.count = u.count + 1
    end
  end
  ch.users[user] = u
  return u
end

local function alive(entry) return entry.holder ~= DUE and entry.holder ~= LEAVING end

local function standing(ch) -- of a USER channel's user
  local best = OFFLINE
  for _, u in pairs(ch.users) do
    for _, entry in pairs(u.sessions) do
      if alive(entry) then return ONLINE end
      best = UNREACHABLE
    end
  end
  return best
end
local function userAt(index, seen) -- a USER channel, with all sessions of the user
  local ch = channelAt(index)
  if ch.seen then return ch end
  ch.seen, ch.gone, ch.inbox, ch.invitations, ch.roster = KEYS[seen], KEYS[seen + 1], KEYS[seen + 2], KEYS[seen + 3], KEYS[seen + 4]
  if not ch.lost then
    for _, session in ipairs(redis.call('HKEYS', ch.sessions)) do
      if session ~= '' then memberAt(ch, session) end
    end
  end
  ch.standing = standing(ch)
  return ch
end

local function tagOf(info) return info ~= '' and cjson.decode(info).tag or '' end
-- Which sessions a login puts an end to: those with its tag; and those over the limit, first who have no connection, then, where the
-- policy is to replace, the oldest. False: it is refused, for others are connected.
local function replacedBy(ch, how, session, info)
  local policy, most = string.match(how, '^(%a+),(%d+)')
  if not policy or (ch.users[session] and ch.users[session].count > 0) then return {} end
  local limit, tag = tonumber(most), tagOf(info)
  if limit == 0 then limit = policy == 'multi' and math.huge or 1 end
  local gone, others, connected = {}, {}, 0
  for id, u in pairs(ch.users) do
    local entry = u.sessions[id]
    if entry then
      if tag ~= '' and tagOf(u.states or '') == tag then gone[#gone + 1] = id
      else
        others[#others + 1] = {id = id, alive = alive(entry), attach = entry.attach}
        if alive(entry) then connected = connected + 1 end
      end
    end
  end
  if connected >= limit and policy ~= 'replace' then return false end
  table.sort(others, function(a, b)
    if a.alive ~= b.alive then return b.alive end
    return a.attach < b.attach
  end)
  for i = 1, #others - limit + 1 do gone[#gone + 1] = others[i].id end
  return gone
end

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
local grewDue, grewOwned = false, false
local statuses, statusBefore = {}, statusVersion

local function tell(ch, version, kind, channel, user, states, code, reason) -- the application's own servers
  if receiving == '::' or not string.find(receiving, ':' .. string.match(channel, '^[^:]+:'), 1, true) then return end
  ch.told[#ch.told + 1] = {version = version, kind = kind, channel = channel, user = user, states = states or '', code = code or '', reason = reason or ''}
end
-- What is put back after a loss was told before; so was, as far as anybody knows, who returns while it is being put back.
local REPAIRS = {assert = true, placeholder = true}
local function isRepair(ch, op) return REPAIRS[op.kind] or (string.sub(op.how, -5) == 'again' and now < math.max(fresh, ch.fresh)) end

local function change(ch, kind, op, joined, states, session)
  ch.version = tick()
  if not ch.seen then
    ch.changes[#ch.changes + 1] = table.concat({kind, text(ch.version), op.user, joined or '', states or '', session or ''}, NUL)
    if kind ~= 'assert' and not isRepair(ch, op) then tell(ch, ch.version, kind, op.channel, op.user, kind == 'state' and states or '') end
  end
  return ch.version
end
local function renew(ch) -- a channel that begins, or one of an earlier life of the partition
  if not ch.life or string.sub(ch.life, 1, #life + 1) ~= life .. '.' then ch.life = life .. '.' .. text(tick()) end
end
local function membership(op) return op.channel .. NUL .. op.user .. NUL .. op.session end
-- The clock counts what is due: a heartbeat that finds less knows that the list was lost.
local function notDue(op) dues = dues - redis.call('ZREM', dueKey, membership(op)) end
local function letGo(op, entry) -- whoever vouched for it does so no more
  if not alive(entry) then notDue(op)
  elseif owned[entry.holder] then redis.call('SREM', owned[entry.holder], membership(op)) end
end
local function makeDue(op, entry, deadline, holder)
  entry.holder = holder
  dues = dues + redis.call('ZADD', dueKey, text(deadline), membership(op))
  grewDue = true
end
local function result(status, ch, u, attach, superseded, more)
  local r = {status, text(ch and ch.version or 0), attach and text(attach) or '', superseded or '', ch and ch.life or '', more or ''}
  if u and u.revision then r[7], r[8], r[9] = text(u.revision), text(u.joined), u.states end
  return r
end
local function mark(r, what)
  r[7], r[8], r[9], r[10] = r[7] or '', r[8] or '', r[9] or '', (r[10] or '') .. what
end
local function list(op) -- under the channels of its user
  if not op.where then return end
  redis.call('HSET', op.where, op.channel, '')
  redis.call('EXPIRE', op.where, ttl, 'NX')
end
local function found(ch, op, kind) -- a member comes to be
  op.u.joined = op.joined > 0 and op.joined or math.floor(time / 1000)
  op.u.states, op.u.dirty = op.states, true
  local version = change(ch, kind, op, text(op.u.joined), op.u.states)
  op.u.revision = op.revision > 0 and op.revision or version
  list(op)
end
local function merge(ch, op) -- a repair meets a member that is there: highest revision, lowest joined-at
  local newer = op.revision > op.u.revision
  local differs = newer and op.states ~= op.u.states
  if newer then op.u.revision, op.u.states, op.u.dirty = op.revision, op.states, true end
  if op.joined > 0 and op.joined < op.u.joined then op.u.joined, op.u.dirty = op.joined, true end
  if differs then change(ch, 'assert', op, text(op.u.joined), op.u.states) end
end
local function drop(ch, op, entry, kind) -- a session ends; the last one takes the member with it
  letGo(op, entry)
  op.u.sessions[op.session], op.u.count, op.u.dirty = nil, op.u.count - 1, true
  if op.u.count > 0 or not op.u.revision then return end
  op.u.revision, op.u.joined, op.u.states = nil, nil, nil
  if op.where then redis.call('HDEL', op.where, op.channel) end
  ch.ended = change(ch, kind, op)
end
local CODES = {leave = '1', timeout = '2', replaced = '3', evict = '4'}
local function turn(ch, op, info, r) -- after an op on a USER channel: did its user come, go, lose or regain the connection?
  local was = ch.standing
  ch.standing = standing(ch)
  if ch.standing == was then return end
  statusVersion = tick()
  if ch.standing == OFFLINE then redis.call('SET', ch.seen, '0', 'EX', SEEN) else redis.call('DEL', ch.seen) end
  statuses[#statuses + 1] = table.concat({text(statusVersion), op.channel, text(ch.standing), ch.standing == OFFLINE and text(math.floor(time / 1000)) or ''}, NUL)
  if isRepair(ch, op) then return end
  if ch.standing == OFFLINE and string.sub(op.channel, 1, #quiet) ~= quiet and redis.call('EXISTS', ch.roster) == 1 then
    redis.call('ZADD', timersKey, text(now), table.concat({'f', op.channel, text(statusVersion)}, NUL))
    redis.call('EXPIRE', timersKey, ttl)
    mark(r, 'f')
  end
  if was == OFFLINE then tell(ch, statusVersion, 'online', op.channel, op.session, op.u.states)
  elseif ch.standing == OFFLINE then tell(ch, statusVersion, 'offline', op.channel, op.session, info, CODES[op.why or op.kind], op.kind == 'evict' and op.states or '') end
end
local function remove(ch, op, session, why, reason) -- another session of the user, for good
  local u = ch.users[session]
  local entry, info = u.sessions[session], u.states
  local other = {channel = op.channel, user = session, session = session, u = u, kind = 'leave', how = ''}
  local row = (alive(entry) and entry.holder or '') .. ',' .. session .. ',' .. text(entry.attach) .. ';'
  drop(ch, other, entry, 'leave')
  redis.call('HSET', ch.gone, session, why .. ' ' .. reason)
  redis.call('EXPIRE', ch.gone, GONE)
  return row, info
end

local act = {}
local function enter(ch, op)
  local u, entry = op.u, op.entry
  if entry and op.attach and entry.attach > op.attach then return result('stale', ch) end
  if op.kind == 'resume' and not (entry and u.revision) then return result('missing', ch) end
  local replaced = ''
  if ch.seen and not entry and op.kind == 'join' then
    local why = redis.call('HGET', ch.gone, op.session)
    if why then return result('gone', ch, nil, nil, nil, why) end
    local others = replacedBy(ch, op.how, op.session, op.states)
    if not others then return result('refused', ch) end
    for _, session in ipairs(others) do
      local row, info = remove(ch, op, session, 'replaced', '')
      replaced = replaced .. row
      tell(ch, tick(), 'offline', op.channel, session, info, CODES.replaced)
    end
  end
  local superseded = entry and alive(entry) and entry.holder or nil
  local attach = op.attach or math.max(tick(), entry and entry.attach + 1 or 0)
  if entry then letGo(op, entry) else u.count = u.count + 1 end
  u.sessions[op.session] = {attach = attach, timeout = op.timeout, holder = node}
  u.dirty = true
  redis.call('SADD', ownedKey, membership(op))
  grewOwned = true
  local held = u.sessions['?']
  if held then -- a placeholder has done its work once a real session vouches
    letGo({channel = op.channel, user = op.user, session = '?'}, held)
    u.sessions['?'], u.count = nil, u.count - 1
  end
  renew(ch)
  if ch.seen and u.revision and op.states ~= '' and op.kind == 'join' then u.states = op.states end
  if not u.revision then found(ch, op, op.kind == 'assert' and 'assert' or 'join')
  elseif op.kind == 'assert' then
    merge(ch, op)
    list(op)
  end
  if replaced ~= '' then
    tell(ch, tick(), 'online', op.channel, op.session, u.states, '', '1')
  end
  local r = result(entry and 'same' or 'ok', ch, u, attach, superseded, replaced)
  if ch.seen and redis.call('EXISTS', ch.inbox) == 1 then mark(r, 'm') end
  if ch.seen and redis.call('EXISTS', ch.invitations) == 1 then mark(r, 'i') end
  return r
end
act.join, act.resume, act.assert = enter, enter, enter

function act.placeholder(ch, op)
  if op.u.revision then
    merge(ch, op)
    return result('same', ch)
  end
  -- Somebody has gone of whom the feed may not have heard.
  if math.max(ch.ended, ch.life and 0 or emptied) > op.attach then return result('conflict', ch) end
  renew(ch)
  op.u.sessions['?'], op.u.count = {attach = 0, timeout = op.timeout}, op.u.count + 1
  makeDue(op, op.u.sessions['?'], now + op.timeout, DUE)
  found(ch, op, 'assert')
  return result('ok', ch)
end

function act.leave(ch, op)
  if not op.entry then return result('missing', ch) end
  if op.entry.attach > op.attach then return result('stale', ch) end
  local settled = math.max(fresh, ch.fresh)
  if now < settled and op.u.count == 1 then -- data is being put back: another tab of the member may not be asserted yet
    letGo(op, op.entry)
    op.entry.attach, op.u.dirty = op.attach, true
    makeDue(op, op.entry, settled, LEAVING)
  else
    drop(ch, op, op.entry, 'leave')
  end
  return result('ok', ch)
end

function act.evict(ch, op) -- the reason stands where states do
  if not op.entry then return result('missing', ch) end
  local row = remove(ch, op, op.session, 'kicked', op.states)
  return result('ok', ch, nil, nil, nil, row)
end

function act.suspend(ch, op)
  local entry = op.entry
  if not entry or entry.attach ~= op.attach or entry.holder ~= node then
    if not entry or entry.holder ~= node then redis.call('SREM', ownedKey, membership(op)) end
    return result(not entry and 'missing' or entry.attach ~= op.attach and 'stale' or 'same', ch)
  end
  letGo(op, entry)
  makeDue(op, entry, now + op.timeout, DUE)
  op.u.dirty = true
  return result('ok', ch)
end

function act.state(ch, op)
  local u, entry = op.u, op.entry
  if not entry or not u.revision then return result('missing', ch) end
  if entry.attach ~= op.attach then return result('stale', ch) end
  local based = op.revision == u.revision or (op.revision == 0 and u.states == '')
  if not based then return result('conflict', ch, u) end
  u.states, u.dirty = op.states, true
  u.revision = change(ch, 'state', op, text(u.joined), u.states, op.session)
  return result('ok', ch, u)
end

function act.expire(ch, op)
  local deadline = redis.call('ZSCORE', dueKey, membership(op))
  if not deadline then return result('missing', ch) end
  if now < hold or tonumber(deadline) > now then return result('early', ch) end
  local entry = op.entry
  if entry and not alive(entry) then
    op.why = entry.holder == DUE and 'timeout' or 'leave'
    drop(ch, op, entry, op.why)
    return result('ok', ch)
  end
  notDue(op)
  return result('missing', ch)
end

function act.remind(ch, op) -- its deadline was lost, so it gets another
  local entry = op.entry
  if not entry then return result('missing', ch) end
  local due = not alive(entry)
  if due and redis.call('ZSCORE', dueKey, membership(op)) or not due and redis.call('ZSCORE', leasesKey, entry.holder) then return result('same', ch) end
  makeDue(op, entry, now + entry.timeout, due and entry.holder or DUE)
  op.u.dirty = true
  return result('ok', ch)
end

-- A node looks for all that lacks a deadline. What is due now counts as all there is, and timers as whole, so that a loss during the search shows.
function act.search()
  local due, lease = redis.call('ZCARD', dueKey), tonumber(redis.call('ZSCORE', leasesKey, search) or 0)
  if search ~= node and lease > now and due >= dues and redis.call('ZSCORE', timersKey, '') then return result('early') end -- another one is at it
  dues, search = due, node
  redis.call('ZADD', timersKey, '+inf', '')
  redis.call('EXPIRE', timersKey, ttl, 'NX')
  return result('ok')
end
function act.searched()
  if search == node then search = '' end
  return result('ok')
end

function act.orphan(ch, op) -- the node's name stands where states do
  if redis.call('ZSCORE', leasesKey, op.states) ~= '0' then return result('early', ch) end
  redis.call('SREM', owned[op.states], membership(op))
  if not op.entry or op.entry.holder ~= op.states then return result('missing', ch) end
  makeDue(op, op.entry, now + op.entry.timeout, DUE)
  op.u.dirty = true
  return result('ok', ch)
end

function act.endLease(_, op)
  local lease = redis.call('ZSCORE', leasesKey, op.states)
  if not lease then return result('missing') end
  if lease == '0' then return result('same') end
  if op.states ~= node and (now < hold or tonumber(lease) > now) then return result('early') end
  redis.call('ZADD', leasesKey, '0', op.states)
  return result('ok')
end

function act.dropLease(_, op)
  if redis.call('ZSCORE', leasesKey, op.states) ~= '0' then return result('early') end
  if redis.call('SCARD', owned[op.states]) > redis.call('SISMEMBER', owned[op.states], '') then return result('early') end
  redis.call('ZREM', leasesKey, op.states)
  redis.call('HDEL', clockKey, 'number:' .. op.states)
  return result('ok')
end

local ENDS = {leave = true, evict = true, suspend = true, orphan = true, expire = true, remind = true}
local function strike(ch, op) -- out of what is left of a damaged channel: nobody else would, and it would stay as a ghost
  if op.kind == 'expire' or op.kind == 'remind' then notDue(op)
  else redis.call('SREM', op.kind == 'orphan' and owned[op.states] or ownedKey, membership(op)) end
  local list = {}
  for entry in string.gmatch(redis.call('HGET', ch.sessions, op.user) or '', '[^;]+') do
    local session, holder = string.match(entry, '^([^,]+),%d+,%d+,(.+)$')
    local vouched = op.kind == 'remind' and redis.call('ZSCORE', leasesKey, holder)
    if vouched or session ~= op.session then list[#list + 1] = entry end
  end
  if #list > 0 then redis.call('HSET', ch.sessions, op.user, table.concat(list, ';'))
  else redis.call('HDEL', ch.sessions, op.user) end
  redis.call('HDEL', ch.members, op.user)
  if vacant(ch.members) and vacant(ch.sessions) then
    redis.call('DEL', ch.members, ch.sessions)
  end
end
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
if receiving ~= '::' then
  local wrote = false
  for _, ch in ipairs(order) do
    local first, last = ch.told[1], ch.told[#ch.told]
    if last and not ch.seen then
      if ch.occupied then table.insert(ch.told, 1, {version = first.version, kind = 'occupied', channel = first.channel, user = '', states = '', code = '', reason = ''}) end
      if ch.vacated then tell(ch, last.version, 'vacated', last.channel, '') end
    end
    for _, e in ipairs(ch.told) do
      sequence, wrote = sequence + 1, true
      redis.call('XADD', outboxKey, 'MAXLEN', '~', outboxMost, '*', 'e',
        table.concat({life, text(sequence), text(e.version), text(math.floor(time / 1000)), e.kind, e.channel, e.user, e.states or '', e.code, e.reason}, NUL))
    end
  end
  if wrote then
    redis.call('EXPIRE', outboxKey, ttl, 'NX')
    redis.call('SPUBLISH', writtenKey, '')
  end
end
if #statuses > 0 then redis.call('SPUBLISH', statusKey, table.concat({life, text(statusBefore), unpack(statuses)}, NUL)) end
if grewDue then redis.call('EXPIRE', dueKey, ttl, 'NX') end
if grewOwned then redis.call('EXPIRE', ownedKey, ttl, 'NX') end
redis.call('HSET', clockKey, 'now', text(now), 'time', text(time), 'hold', text(hold), 'due', text(dues), 'emptied', text(emptied),
  'search', search, 'status', text(statusVersion), 'sequence', text(sequence), 'number:' .. node, ARGV[2])
reply[2] = text(now)
return reply
