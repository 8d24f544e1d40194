-- Everything of one channel, as of one version.
--
-- KEYS  1 clock, 2 members, 3 sessions
-- reply {life, channel life ('' while the channel is empty), version, time (ms), user, record, user, record...}
-- An empty channel stands at the partition's clock: whatever comes is newer.
-- {} while no heartbeat has looked at this server yet: it may lack writes of the life that it names, or all of them.

local c = redis.call('HMGET', KEYS[1], 'life', 'now', 'replid')
if c[3] ~= string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)') then return {} end
local t = redis.call('TIME')
local time = string.format('%.0f', tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000))
local reply = {c[1] or '', '', c[2] or '0', time}
local members = redis.call('HGETALL', KEYS[2])
for i = 1, #members, 2 do
  if members[i] == '' then
    reply[2], reply[3] = string.match(members[i + 1], '^(%S+) (%d+)$')
  else
    reply[#reply + 1] = members[i]
    reply[#reply + 1] = members[i + 1]
  end
end
return reply
