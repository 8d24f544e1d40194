-- Who delivers a partition's outbox, how far each receiver was served, and what could not be delivered; and so, which apps have receivers.
--
-- KEYS  1 clock, 2 outbox, 3 written (a channel of pub/sub), 4 claims, 5 cursors, 6 given-up
-- ARGV  1 'claim', 2 node, 3 lifetime of keys (s), 4 lease (ms), 5 for how long a receiver that nobody serves counts (ms), then receivers
--       1 'acknowledge', 2 node, 3 lifetime of keys (s), 4 receiver, 5 place, 6 life, 7 sequence,
--         and of one that is given up 8 most that are kept, then fields and values of its entry in the list
--       1 'release', 2 node
-- reply of claim: {in how long (ms) the first claim of another node ends, '' for none; then 6 for each receiver that is this node's:
--         receiver, '1' when nobody else had it meanwhile, place ('' at the start), life, sequence, entries behind}
--       of acknowledge: '1', or '0' when another node has the receiver
--       of release: how many receivers it let go
-- claims: receiver → 'node end(ms)', '-' for no node; cursors: receiver → 'place life sequence'; of an outbox that is lost or began anew
-- the first entry that is there is the next one; in the clock `receiving`: `:app:app:` of all receivers, whose names begin with their app's and a colon

local clockKey, outboxKey, writtenKey, claimsKey, cursorsKey, givenUpKey = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local action, node, ttl = ARGV[1], ARGV[2], ARGV[3]
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local function text(n) return string.format('%.0f', n) end
local function parts(place)
  local ms, sequence = string.match(place, '^(%d+)-(%d+)$')
  return tonumber(ms or 0), tonumber(sequence or 0)
end
local function before(a, b) -- of two places; '' is before all
  local ams, as = parts(a)
  local bms, bs = parts(b)
  return ams < bms or (ams == bms and as < bs)
end
local function claimOf(receiver)
  local holder, till = string.match(redis.call('HGET', claimsKey, receiver) or '', '^(%S+) (%d+)$')
  return holder, tonumber(till or 0)
end
local function cursorOf(receiver) return string.match(redis.call('HGET', cursorsKey, receiver) or '', '^(%S*) (%S*) (%d+)$') end
local function sequenceAt(entry) return entry and tonumber(string.match(entry[2][2], '^[^%z]*%z(%d+)')) end

if action == 'acknowledge' then
  local receiver, place = ARGV[4], ARGV[5]
  local holder = claimOf(receiver)
  if holder and holder ~= node then return '0' end
  local known = cursorOf(receiver)
  if not known or before(known, place) then redis.call('HSET', cursorsKey, receiver, place .. ' ' .. ARGV[6] .. ' ' .. ARGV[7]) end
  redis.call('EXPIRE', cursorsKey, ttl, 'NX')
  if ARGV[8] then
    redis.call('XADD', givenUpKey, 'MAXLEN', ARGV[8], '*', unpack(ARGV, 9))
    redis.call('EXPIRE', givenUpKey, ttl)
  end
  return '1'
end

if action == 'release' then
  local released, all = 0, redis.call('HGETALL', claimsKey)
  for i = 1, #all, 2 do
    if claimOf(all[i]) == node then
      redis.call('HSET', claimsKey, all[i], '- ' .. text(now))
      released = released + 1
    end
  end
  if released > 0 then redis.call('SPUBLISH', writtenKey, 'released') end
  return released
end

local lease, patience = tonumber(ARGV[4]), tonumber(ARGV[5])
local c = redis.call('HMGET', clockKey, 'life', 'sequence', 'receiving')
local life, written = c[1] or '', tonumber(c[2] or 0)
local first = redis.call('XRANGE', outboxKey, '-', '+', 'COUNT', 1)[1]
local last = redis.call('XREVRANGE', outboxKey, '+', '-', 'COUNT', 1)[1]
local reply, free = {''}, nil
for i = 6, #ARGV do
  local receiver = ARGV[i]
  local holder, till = claimOf(receiver)
  if holder and holder ~= node and till > now then
    free = math.min(free or till, till)
  else
    local held = holder == node
    local place, itsLife, sequence = cursorOf(receiver)
    if place and last and before(last[1], place) then place, held = nil, false end -- the outbox began anew, by an earlier clock
    if not place then
      place, itsLife, sequence = '', life, text(first and sequenceAt(first) - 1 or written)
      redis.call('HSET', cursorsKey, receiver, place .. ' ' .. itsLife .. ' ' .. sequence)
    end
    redis.call('HSET', claimsKey, receiver, node .. ' ' .. text(now + lease))
    local behind = 0
    if last and before(place, last[1]) then behind = math.max(1, itsLife == life and written - tonumber(sequence) or redis.call('XLEN', outboxKey)) end
    for _, field in ipairs({receiver, held and '1' or '0', place, itsLife, sequence, text(behind)}) do reply[#reply + 1] = field end
  end
end
if free then reply[1] = text(free - now) end

-- What every receiver has had can go. One that nobody has served for long is forgotten, so that it keeps nothing.
local had, apps, all = nil, {}, redis.call('HGETALL', claimsKey)
for i = 1, #all, 2 do
  local receiver, _, till = all[i], claimOf(all[i])
  if till + patience < now then
    redis.call('HDEL', claimsKey, receiver)
    redis.call('HDEL', cursorsKey, receiver)
  else
    local place, app = cursorOf(receiver) or '', string.match(receiver, '^[^:]+:')
    if app and not apps[app] then
      apps[app] = true
      apps[#apps + 1] = app
    end
    if not had or before(place, had) then had = place end
  end
end
if had and had ~= '' then
  local ms, sequence = parts(had)
  redis.call('XTRIM', outboxKey, 'MINID', text(ms) .. '-' .. text(sequence + 1))
end
table.sort(apps)
local receiving = ':' .. table.concat(apps)
if c[1] and c[3] ~= receiving then redis.call('HSET', clockKey, 'receiving', receiving) end
for _, key in ipairs({outboxKey, claimsKey, cursorsKey, givenUpKey}) do redis.call('EXPIRE', key, ttl) end
return reply
