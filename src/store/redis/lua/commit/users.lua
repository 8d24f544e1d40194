-- Users, as their USER channels tell: who is there, and which sessions a login puts an end to.

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
