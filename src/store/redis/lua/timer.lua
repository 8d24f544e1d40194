-- Puts off a timer that is as the caller has seen it, or takes it away; or sets one that is not there.
--
-- KEYS  1 timers
-- ARGV  1 the timer, 2 its time as it was ('-1': it was not there), 3 the new one, '' to take it away
-- reply 1, or 0 when it is not so any more

if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or -1) ~= tonumber(ARGV[2]) then return 0 end
if ARGV[3] == '' then redis.call('ZREM', KEYS[1], ARGV[1]) else redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1]) end
return 1
