-- Looks at channels of one partition without reading their members; where asked to, renews the lifetime of keys.
--
-- KEYS  1 clock, then members and sessions of each channel, then where:<user> of some of their members
-- ARGV  1 count of channels, 2 lifetime to renew (s), '0' for a look only
-- reply {life, {index of each where:<user> that is not there, from 0}, then for each channel: {} (empty), {'damaged'} or
--       {channel life, version, occupancy}}

local count = tonumber(ARGV[1])
local absent = {}
for i = 2 * count + 2, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then absent[#absent + 1] = string.format('%.0f', i - 2 * count - 2) end
end
local reply = {redis.call('HGET', KEYS[1], 'life') or '', absent}
for i = 1, count do
  local members, sessions = KEYS[2 * i], KEYS[2 * i + 1]
  local m, s = redis.call('HGET', members, ''), redis.call('HGET', sessions, '')
  local life, version = string.match(m or '', '^(%S+) (%d+)')
  if not m and not s and redis.call('EXISTS', members, sessions) == 0 then
    reply[i + 2] = {}
  elseif not life or life ~= s then
    reply[i + 2] = {'damaged'}
  else
    reply[i + 2] = {life, version, string.format('%.0f', redis.call('HLEN', members) - 1)}
  end
end
if ARGV[2] ~= '0' then
  for i = 2, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[2]) end
end
return reply
