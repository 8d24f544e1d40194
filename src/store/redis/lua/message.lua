-- Takes a message for a user: puts it into the inbox and tells all nodes, in one step, and once, however often it is sent.
--
-- KEYS  1 clock, 2 inbox:<user>, 3 kept:<user>, 4 heard:<user>, of the sender's session, 5 roster:<user>, 6 sessions:<USER channel>, 7 post (a channel of pub/sub)
-- ARGV  1 app, 2 user, 3 from, 4 id, 5 token (the id without its session), 6 sequence ('': it has none), 7 '1': it waits for who is not there,
--       8 text, 9 heartbeat period (us), for how long it is kept (ms): 10 one that waits, 11 another one, 12 most messages in the inbox
-- reply {'waiting', time (ms), age (ms), dropped}: a session may acknowledge it; dropped: how many fell out that nobody has had, and that wait
--       {'received' | 'unreceived', time (ms), '0', dropped}: that is all there is to say; {'blocked'}; {} while there is no life
-- inbox: id -> 'position state time(ms) waits lacking from', '=' and id -> text; state 0: nobody has acknowledged it, 1: lacking names the sessions
--       that have not, joined by commas. kept: id -> until when (ms of TIME).
-- heard: 'last token token ... ': the last sequence, and what was acknowledged, the newest first
-- post: number, message, app, 1, user, life, position, id, time (ms), from, text

local clockKey, inbox, kept, heardKey, roster, sessions, post = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local app, user, from, id, token, sequence = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local waits, body, period, most = ARGV[7] == '1', ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[12])
local HEARD, NUL, PURGED, LOOKED_AT = 120, '\0', 200, 1000 -- seconds; how many of those whose time is over go in one call; of too many, how many are looked at
local function text(n) return string.format('%.0f', n) end

local c = redis.call('HMGET', clockKey, 'life', 'now', 'time', 'replid', 'post', 'fresh')
if not c[1] or c[4] ~= string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)') then return {} end
local t = redis.call('TIME')
local time = tonumber(t[1]) * 1000000 + tonumber(t[2])
local ms = math.floor(time / 1000)

if string.sub(redis.call('HGET', roster, from) or '', -2) == ' b' then return {'blocked'} end
-- The clock as commit would make it: whoever logs in later does so at a higher one, and whoever is there has a lower one.
local now = tonumber(c[2]) + math.max(0, math.min(time - tonumber(c[3]), 1.5 * period))
-- While what an earlier life had is being put back, whoever is not there may be.
local present = now < tonumber(c[6] or 0) or redis.call('HLEN', sessions) > redis.call('HEXISTS', sessions, '')

-- Has it come before? The sender's connection was lost, or a node executes late.
local heard = redis.call('GET', heardKey) or '0 '
if sequence and sequence <= tonumber(string.match(heard, '^%d+')) then
  local state, at = string.match(redis.call('HGET', inbox, id) or '', '^%d+ (%d) (%d+)')
  if state == '0' and present then return {'waiting', at, text(math.max(0, ms - tonumber(at))), '0'} end
  local acknowledged = state == '1' or string.find(heard, ' ' .. token .. ' ', 1, true)
  return {acknowledged and 'received' or 'unreceived', at or text(ms), '0', '0'}
end
if not present and not waits then return {'unreceived', text(ms), '0', '0'} end

local function forget(ids)
  local fields = {}
  for _, gone in ipairs(ids) do
    fields[#fields + 1] = gone
    fields[#fields + 1] = '=' .. gone
  end
  redis.call('HDEL', inbox, unpack(fields))
  redis.call('ZREM', kept, unpack(ids))
end
local over = redis.call('ZRANGEBYSCORE', kept, '-inf', ms, 'LIMIT', 0, PURGED)
if #over > 0 then forget(over) end

local position = math.max(tonumber(c[5] or 0), math.floor(now)) + 1
redis.call('HSET', clockKey, 'post', text(position))
redis.call('HSET', inbox, id, table.concat({text(position), '0', text(ms), waits and '1' or '0', '-', from}, ' '), '=' .. id, body)
redis.call('ZADD', kept, ms + tonumber(waits and ARGV[10] or ARGV[11]), id)
if sequence then redis.call('SET', heardKey, text(sequence) .. string.match(heard, ' .*$'), 'EX', HEARD) end

-- Too many: first go those that were had or do not wait, then the oldest of whoever has most of them: nobody pushes out what others have sent.
local dropped, excess = 0, redis.call('ZCARD', kept) - most
if excess > 0 then
  local ids, gone, senders, of = redis.call('ZRANGE', kept, 0, LOOKED_AT - 1), {}, {}, {}
  for i, header in ipairs(redis.call('HMGET', inbox, unpack(ids))) do
    local sender = string.match(header or '', '^%d+ 0 %d+ 1 %S+ (.*)$')
    if not sender then
      if #gone < excess then gone[#gone + 1] = ids[i] end
    else
      if not of[sender] then
        of[sender] = {}
        senders[#senders + 1] = of[sender]
      end
      table.insert(of[sender], ids[i])
    end
  end
  while #gone < math.min(excess, #ids) do
    local heaviest = senders[1]
    for _, theirs in ipairs(senders) do
      if #theirs > #heaviest then heaviest = theirs end
    end
    gone[#gone + 1] = table.remove(heaviest, 1)
    dropped = dropped + 1
  end
  forget(gone)
end
local last = redis.call('ZRANGE', kept, -1, -1, 'WITHSCORES')[2]
for _, key in ipairs({inbox, kept}) do redis.call('PEXPIREAT', key, last or ms) end

if not present then return {'unreceived', text(ms), '0', text(dropped)} end
redis.call('SPUBLISH', post, table.concat({redis.call('HINCRBY', clockKey, 'posts', 1), 'message', app, '1', user, c[1], text(position), id, text(ms), from, body}, NUL))
return {'waiting', text(ms), '0', text(dropped)}
