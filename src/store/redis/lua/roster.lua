-- Writes a user's edge to a peer: has them as a friend, has blocked them, or neither.
--
-- KEYS  1 clock, 2 sessions:<USER channel>, 3 roster:<user>, 4 asked:<user>
-- ARGV  1 the session that writes, 2 its attach, 3 peer, 4 'f', 'b', or '' to take the edge away, 5 most edges of a user
-- reply {'done', generation}, {'same', generation}, or a refusal that changed nothing: {'stale'} (the session has a newer attach),
--       {'unvouched'} (no node vouches for it under this one), {'full'}; {} while no heartbeat has looked at this server yet
-- roster:<user>: peer -> 'generation kind'. Generations rise with each edge between two; that of a removal is above all it takes away.
-- asked:<user>, as tidings.lua has it: a block and a removal answer what the peer has asked.

local rosterKey, askedKey = KEYS[3], KEYS[4]
local session, attach, peer, kind, most = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], tonumber(ARGV[5])
if not redis.call('HGET', KEYS[1], 'life') then return {} end

-- 1. Is it the session's own last word? What was sent over an earlier connection may be executed late.
local holds = false
for id, number, holder in string.gmatch(redis.call('HGET', KEYS[2], session) or '', '([^,;]+),(%d+),%d+,([^;]+)') do
  if id == session and tonumber(number) > attach then return {'stale'} end
  if id == session and tonumber(number) == attach then holds = holder ~= '-' and holder ~= '~' end
end
if not holds then return {'unvouched'} end

-- 2. What is there?
local generation, is = string.match(redis.call('HGET', rosterKey, peer) or '', '^(%d+) (%a)$')
local asked = tonumber(string.match(redis.call('HGET', askedKey, peer) or '', '^(%d+) f') or 0)
if kind ~= '' and is == kind then return {'same', generation} end
if kind ~= '' and not is and redis.call('HLEN', rosterKey) >= most then return {'full'} end

-- 3. Write.
local t = redis.call('TIME')
generation = string.format('%.0f', math.max(tonumber(generation or 0) + 1, asked + 1, tonumber(t[1]) * 1000000 + tonumber(t[2])))
if kind ~= 'f' and asked > 0 then redis.call('HDEL', askedKey, peer) end
if kind == '' then
  redis.call('HDEL', rosterKey, peer)
else
  redis.call('HSET', rosterKey, peer, generation .. ' ' .. kind)
end
return {'done', generation}
