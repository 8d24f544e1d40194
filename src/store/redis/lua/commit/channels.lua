-- The channels that a batch touches, as they are in Redis, and their members with the sessions behind them; each is read once.

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
