-- Who of some users is there, as of one version of the partition's statuses.
--
-- KEYS  1 clock, then for each user sessions:<USER channel>, seen:<user>
-- reply {life, version, for how long (us) what an earlier life had is still being put back, standing, last seen (ms) or '', ...}
-- {} while no heartbeat has looked at this server yet: it may lack writes of the life that it names, or all of them.

local SEEN = 604800000 -- ms, as commit sets it
local c = redis.call('HMGET', KEYS[1], 'life', 'status', 'now', 'fresh', 'replid')
if c[5] ~= string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)') then return {} end
local t = redis.call('TIME')
local time = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local reply = {c[1], c[2] or '0', string.format('%.0f', math.max(0, tonumber(c[4] or 0) - tonumber(c[3])))}
for i = 2, #KEYS, 2 do
  local standing, lastSeen = 0, ''
  for _, list in ipairs(redis.call('HVALS', KEYS[i])) do
    for holder in string.gmatch(list, '[^,;]+,%d+,%d+,([^;]+)') do
      standing = math.max(standing, (holder == '-' or holder == '~') and 1 or 2)
    end
  end
  if standing == 0 then
    local left = redis.call('PTTL', KEYS[i + 1])
    if left > 0 then lastSeen = string.format('%.0f', time - (SEEN - left)) end
  end
  reply[#reply + 1] = tostring(standing)
  reply[#reply + 1] = lastSeen
end
return reply
