-- Settles a message: a session acknowledges it, or whoever sent it waits no longer.
--
-- KEYS  1 inbox:<user>, 2 kept:<user>, 3 heard:<user>, of the sender's session, 4 sessions:<USER channel>, 5 post (a channel of pub/sub), 6 clock
-- ARGV  1 'acknowledge' or 'settle', 2 app, 3 from, 4 id, 5 token (the id without its session), 6 the session that acknowledges,
--       7 for how long (ms), beyond its presenceTimeout, a session without a connection may still come for it
-- reply '1' when a session has acknowledged it, else '0'; one that does not wait is given up then
-- The keys are as message.lua has them. post: number, received, app, 1, from, id

local inbox, kept, heardKey, sessions, post, clockKey = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local kind, app, from, id, token, session = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local HEARD, HEARD_BYTES, NUL = 120, 2048, '\0' -- seconds; what was acknowledged longer ago than these tell is not known any more
local MOST_LACKING = 2048 -- bytes: of a user with very many sessions it stays until its time is over, for each to be struck off costs as much as all

local header = redis.call('HGET', inbox, id)
local heard = redis.call('GET', heardKey) or '0 '
local known = string.find(heard, ' ' .. token .. ' ', 1, true) ~= nil
local position, state, at, waits, lacking, author
if header then position, state, at, waits, lacking, author = string.match(header, '^(%d+) (%d) (%d+) (%d) (%S+) (.*)$') end

local function forget()
  redis.call('HDEL', inbox, id, '=' .. id)
  redis.call('ZREM', kept, id)
end

if kind == 'settle' then
  if state == '0' and waits == '0' then forget() end
  return (state == '1' or known) and '1' or '0'
end

local function keep(others) -- for those who may still have to get it
  if #others == 0 then return forget() end
  redis.call('HSET', inbox, id, table.concat({position, '1', at, waits, table.concat(others, ','), author}, ' '))
end

if state == '1' and #lacking <= MOST_LACKING then
  local others = {}
  for other in string.gmatch(lacking, '[^,]+') do
    if other ~= session then others[#others + 1] = other end
  end
  keep(others)
elseif state == '0' then
  local others, longest = {}, 0
  local all = redis.call('HGETALL', sessions)
  for i = 1, #all, 2 do
    if all[i] ~= '' and all[i] ~= session then
      others[#others + 1] = all[i]
      for timeout in string.gmatch(all[i + 1], '[^,;]+,%d+,(%d+),[^;]+') do longest = math.max(longest, tonumber(timeout) / 1000) end
    end
  end
  keep(others)
  if #others > 0 then
    local t = redis.call('TIME')
    redis.call('ZADD', kept, tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000 + longest) + tonumber(ARGV[7]), id)
    local last = redis.call('ZRANGE', kept, -1, -1, 'WITHSCORES')[2]
    for _, key in ipairs({inbox, kept}) do redis.call('PEXPIREAT', key, last) end
  end
end

if not known then -- one that is not there any more fell out, was given up, or was lost: it has been received nevertheless
  local last, tokens = string.match(heard, '^(%d+ )(.*)$')
  tokens = token .. ' ' .. tokens
  if #tokens > HEARD_BYTES then tokens = string.match(string.sub(tokens, 1, HEARD_BYTES), '^(.* )') end
  redis.call('SET', heardKey, last .. tokens, 'EX', HEARD)
  if redis.call('EXISTS', clockKey) == 1 then -- without a clock post has no numbers: the sender asks in the end
    redis.call('SPUBLISH', post, table.concat({redis.call('HINCRBY', clockKey, 'posts', 1), 'received', app, '1', from, id}, NUL))
  end
end
return '1'
