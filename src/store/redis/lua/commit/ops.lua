-- What each kind of op does: `act.<kind>(channel, op)` answers its result.

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
  if ch.seen and u.revision and op.states ~= '' and op.kind ~= 'assert' then u.states = op.states end
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
  left = left or op.states == node
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
