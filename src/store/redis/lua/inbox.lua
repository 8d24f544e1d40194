-- Reads a page of the messages to a user, in order.
--
-- KEYS  1 clock, 2 inbox:<user>, 3 kept:<user>
-- ARGV  1 after which position, 2 a life, and behind which position a session lacks also what others have acknowledged: 3 in that life,
--       4 in another one, 5 most bytes of texts
-- reply {life, position of the last message to anybody of the partition, '1' when there are more, then 5 for each message: position, id,
--       time (ms), from, text}
-- {} while no heartbeat has looked at this server yet

local inbox, kept = KEYS[2], KEYS[3]
local after, bytes = tonumber(ARGV[1]), tonumber(ARGV[5])
local c = redis.call('HMGET', KEYS[1], 'life', 'post', 'replid')
if not c[1] or c[3] ~= string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)') then return {} end
local floor = tonumber(c[1] == ARGV[2] and ARGV[3] or ARGV[4])
local t = redis.call('TIME')
local ms = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)

local ids, rows = redis.call('ZRANGEBYSCORE', kept, '(' .. string.format('%.0f', ms), '+inf'), {}
for first = 1, #ids, 1000 do -- Lua hands over some thousand arguments at most
  local headers = redis.call('HMGET', inbox, unpack(ids, first, math.min(first + 999, #ids)))
  for i, header in ipairs(headers) do
    local position, state, at, from = string.match(header or '', '^(%d+) (%d) (%d+) %d %S+ (.*)$')
    local where = tonumber(position or 0)
    if where > after and (state == '0' or where > floor) then
      rows[#rows + 1] = {where = where, position = position, id = ids[first + i - 1], at = at, from = from}
    end
  end
end
table.sort(rows, function(a, b) return a.where < b.where end)

local reply, size = {c[1], c[2] or '0', '0'}, 0
for _, row in ipairs(rows) do
  local body = redis.call('HGET', inbox, '=' .. row.id)
  if size > 0 and size + #body > bytes then
    reply[3] = '1'
    break
  end
  size = size + #body + 1
  for _, field in ipairs({row.position, row.id, row.at, row.from, body}) do reply[#reply + 1] = field end
end
return reply
