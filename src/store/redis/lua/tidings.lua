-- Tells a user that somebody's edge to them has changed, each change once, and puts it down.
--
-- KEYS  1 clock, 2 post (a channel of pub/sub), 3 roster:<user>, 4 asked:<user>
-- ARGV  1 app, 2 user, 3 from, 4 'f', 'b' or '', as in roster.lua, 5 generation, 6 most entries of asked, 7 message
-- reply {kind, generation} of the user's edge back, after this; {'', '0'} where there is none;
--       {} while no heartbeat has looked at this server yet
-- asked:<user>: from -> 'generation kind told message': the last change that the user was told of, and the generation of the user's own
--       edge when they were told that the two are friends, else 0. No entry outlives a removal, so it is a hint: what is
--       there may have been put down late, by a node that slept, of an edge that is there no more.
-- post: fields joined by NUL: number, 'roster', app, '1', user, type, from, time (ms), message

local NUL = '\0'
local postKey, rosterKey, askedKey = KEYS[2], KEYS[3], KEYS[4]
local app, user, from, kind, generation, most, message = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
if not redis.call('HGET', KEYS[1], 'life') then return {} end
local function text(n) return string.format('%.0f', n) end

local own, is = string.match(redis.call('HGET', rosterKey, from) or '', '^(%d+) (%a)$')
own = tonumber(own or 0)
local entry = redis.call('HGET', askedKey, from)
local known, was, told = string.match(entry or '0  0', '^(%d+) (%a?) (%d+)')
known, told = tonumber(known), tonumber(told)

local function say(type, words)
  local t = redis.call('TIME')
  local time = text(tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000))
  redis.call('SPUBLISH', postKey, table.concat({redis.call('HINCRBY', KEYS[1], 'posts', 1), 'roster', app, '1', user, type, from, time, words}, NUL))
end
local function put(friends, words) -- what is too much is neither told nor put down
  if not entry and redis.call('HLEN', askedKey) >= most then return false end
  redis.call('HSET', askedKey, from, table.concat({text(generation), kind, text(friends), words}, ' '))
  return true
end

if generation < known or (is == 'b' and kind ~= '') then
  -- Old news, or from somebody of whom the user wants to hear nothing.
elseif kind == 'f' and is == 'f' then
  if (generation > known or told ~= own) and put(own, '') then say('FRIENDS', '') end
elseif kind == 'f' then
  if generation > known and put(0, message) then say('REQUEST', message) end
elseif kind == 'b' then
  if generation > known and put(0, '') then say('BLOCKED', '') end
else
  local ends = is == 'f' and own < generation
  if ends then
    redis.call('HDEL', rosterKey, from)
    own, is = 0, nil
  end
  if entry then redis.call('HDEL', askedKey, from) end
  if (ends or was == 'f') and is ~= 'b' then say('REMOVED', '') end
end
return {is or '', text(own)}
