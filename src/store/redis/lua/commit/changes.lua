-- What ops are made of: changes of members and sessions, and what keeps the partition's small keys in step with them.

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
