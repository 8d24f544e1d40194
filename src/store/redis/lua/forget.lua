-- Forgets what is put down of edges that are not there any more, unless there is news of them.
--
-- KEYS  1 clock, 2 asked:<user>
-- ARGV  from and generation, of each
-- reply {count}; {} while no heartbeat has looked at this server yet

if not redis.call('HGET', KEYS[1], 'life') then return {} end
local count = 0
for i = 1, #ARGV, 2 do
  if string.match(redis.call('HGET', KEYS[2], ARGV[i]) or '', '^%d+') == ARGV[i + 1] then count = count + redis.call('HDEL', KEYS[2], ARGV[i]) end
end
return {tostring(count)}
