-- Everything of one channel, as of one version.
--
-- KEYS  1 clock, 2 members, 3 sessions
-- reply {life, channel life ('' while the channel is empty), version, time (ms), '1' when one of its two keys is gone and
--       somebody may put that back, version at which a channel here last became empty, for how long (us) what an earlier
--       life had is still being put back, '1' when somebody has ended in the channel in this life and that time is over,
--       user, record, user, record...}
-- An empty channel stands at the partition's clock: whatever comes is newer.
-- {} while no heartbeat has looked at this server yet: it may lack writes of the life that it names, or all of them.

local c = redis.call('HMGET', KEYS[1], 'life', 'now', 'replid', 'emptied', 'fresh', 'born')
if c[3] ~= string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)') then return {} end
local t = redis.call('TIME')
local time = string.format('%.0f', tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000))
local reply = {c[1], '', c[2], time, '0', c[4] or '0', string.format('%.0f', math.max(0, tonumber(c[5] or 0) - tonumber(c[2]))), '0'}

local sessionsLife = redis.call('HGET', KEYS[3], '')
local function vouched() -- by a node that knows the members, and will assert them
  for _, list in ipairs(redis.call('HVALS', KEYS[3])) do
    for holder in string.gmatch(list, '[^,;]+,%d+,%d+,([^;]+)') do
      if holder ~= '-' and holder ~= '~' then return true end
    end
  end
  return false
end

local members = redis.call('HGETALL', KEYS[2])
local channelLife, ended = false, tonumber(c[4] or 0)
for i = 1, #members, 2 do
  if members[i] == '' then
    channelLife, reply[3], ended = string.match(members[i + 1], '^(%S+) (%d+) (%d+)')
    reply[2], ended = channelLife, tonumber(ended)
  else
    reply[#reply + 1] = members[i]
    reply[#reply + 1] = members[i + 1]
  end
end
if channelLife ~= sessionsLife and (#members > 0 or vouched()) then reply[5] = '1' end
if reply[7] == '0' and ended > tonumber(c[6] or 0) then reply[8] = '1' end
return reply
