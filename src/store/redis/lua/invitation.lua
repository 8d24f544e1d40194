-- Brings an invitation to another state if it is as the caller has seen it: record, count, timer and post in one step.
--
-- KEYS  1 clock, 2 invitations:<callee>, 3 timers, 4 post (a channel of pub/sub), 5 roster:<callee>
-- ARGV  1 id, 2 the revision that it has (0: there is none of this id), 3 the revision that it gets (0: it is forgotten), 4 what it says then,
--       5 by how much this changes the count of open ones, 6 most open ones, 7 most of all, 8 the caller of a new one ('' otherwise),
--       9 its timer, 10 the timer's time, which must be over ('': whatever it is), 11 in how long it rings next (us),
--       12 heartbeat period (us), 13 least lifetime of the key (s), 14 what the post begins with,
--       15 the time (ms, of this server) from which on it is too late (or empty)
-- reply {'done', time (ms)}, or a refusal that changed nothing: {'conflict', what it is ('' where there is none)}, {'early'}, {'late'},
--       {'blocked'}, {'full'}; {} while no heartbeat has looked at this server yet: the partition has no clock
-- invitations:<user>: each field is 'revision time(ms) ' and what it says; the field '' is the count of open ones
-- post: fields joined by NUL: number, its beginning, revision, time (ms), what it says

local NUL, SLACK = '\0', 100000 -- a node's idea of the partition's clock may be ahead of it by so much (us)
local clockKey, key, timersKey, post, rosterKey = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local id, from, to, says, opens, mostOpen, most, caller = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
local timer, due, rings, period, ttl = ARGV[9], ARGV[10], tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local function text(n) return string.format('%.0f', n) end

-- 1. May this step be taken?
local c = redis.call('HMGET', clockKey, 'life', 'now', 'time')
if not c[1] then return {} end
local t = redis.call('TIME')
local time = tonumber(t[1]) * 1000000 + tonumber(t[2])
local now = math.floor(tonumber(c[2]) + math.min(math.max(0, time - tonumber(c[3])), 1.5 * period))
local is = redis.call('HGET', key, id)
if tonumber(is and string.match(is, '^%d+') or 0) ~= from then return {'conflict', is or ''} end
if due ~= '' then
  local at = tonumber(redis.call('ZSCORE', timersKey, timer) or -1)
  if at ~= tonumber(due) or at > now + SLACK then return {'early'} end
end
if ARGV[15] ~= '' and time >= tonumber(ARGV[15]) * 1000 then return {'late'} end
if caller ~= '' then
  if string.match(redis.call('HGET', rosterKey, caller) or '', '%a$') == 'b' then return {'blocked'} end
  if tonumber(redis.call('HGET', key, '') or 0) >= mostOpen or redis.call('HLEN', key) > most then return {'full'} end
end

-- 2. Take it.
if to == 0 then
  redis.call('ZREM', timersKey, timer)
  redis.call('HDEL', key, id)
  if redis.call('HLEN', key) == redis.call('HEXISTS', key, '') then redis.call('DEL', key) end
  return {'done', text(math.floor(time / 1000))}
end
local stamp = text(math.floor(time / 1000))
redis.call('HSET', key, id, table.concat({text(to), stamp, says}, ' '))
if opens ~= 0 then redis.call('HINCRBY', key, '', opens) end
if redis.call('TTL', key) < ttl then redis.call('EXPIRE', key, ttl) end
redis.call('ZADD', timersKey, text(now + rings), timer)
if redis.call('TTL', timersKey) < ttl then redis.call('EXPIRE', timersKey, ttl) end
redis.call('SPUBLISH', post, table.concat({redis.call('HINCRBY', clockKey, 'posts', 1), ARGV[14], text(to), stamp, says}, NUL))
return {'done', stamp}
