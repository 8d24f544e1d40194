-- Tells a status to users of a partition: decides who is told, and posts it once.
--
-- KEYS  1 clock, 2 post (a channel of pub/sub), 3 farewells, then for each user sessions:<USER channel>, roster:<user>, seen:<user>, asked:<user>
--       (of 'friends' only the first two, of 'self' only the first)
-- ARGV  1 'friends' (those who have the sender as a friend), 'anybody' (who is known and has not blocked the sender) or 'self',
--       2 app, 3 from, 4 id, 5 '1' when the server says that the user is gone, 6 the status, then the users
-- reply {'', index of a user, 'u' (unknown) or 'b' (blocked), ...}: those who may not be told, from 1; {} while no heartbeat has looked
--       at this server yet
-- post: fields joined by NUL: number, 'status', app, count of users, the users, from, id, time (ms), '1' or '', the status
-- farewells: the number of post that tells friends that somebody is gone -> that post; the last ones

local NUL, FIRST = '\0', 7
local KEPT, KEPT_S = 256, 120
local to, app, from = ARGV[1], ARGV[2], ARGV[3]
local stride = to == 'anybody' and 4 or to == 'friends' and 2 or 1
local c = redis.call('HMGET', KEYS[1], 'life', 'now', 'fresh', 'replid')
if not c[1] or c[4] ~= string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)') then return {} end
-- Data is being put back after a loss: who seems to be away may be here.
local doubted = tonumber(c[3] or 0) > tonumber(c[2])

local reply, told = {''}, {}
for i = FIRST, #ARGV do
  local index = i - FIRST + 1
  local at = 4 + (index - 1) * stride
  local here = doubted or redis.call('EXISTS', KEYS[at]) == 1
  local back = to ~= 'self' and string.sub(redis.call('HGET', KEYS[at + 1], from) or ' ', -1)
  local may = to ~= 'friends' or back == 'f'
  if to == 'anybody' then
    local why = back == 'b' and 'b' or not (here or redis.call('EXISTS', KEYS[at + 2], KEYS[at + 3]) > 0) and 'u'
    if why then
      may = false
      reply[#reply + 1] = tostring(index)
      reply[#reply + 1] = why
    end
  end
  if may and here then told[#told + 1] = ARGV[i] end
end
if #told > 0 then
  local t = redis.call('TIME')
  local time = string.format('%.0f', tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000))
  local number = redis.call('HINCRBY', KEYS[1], 'posts', 1)
  local post = table.concat({number, 'status', app, #told, table.concat(told, NUL), from, ARGV[4], time, ARGV[5], ARGV[6]}, NUL)
  redis.call('SPUBLISH', KEYS[2], post)
  if to == 'friends' and ARGV[5] == '1' then
    redis.call('ZADD', KEYS[3], number, post)
    redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -KEPT - 1)
    redis.call('EXPIRE', KEYS[3], KEPT_S)
  end
end
return reply
