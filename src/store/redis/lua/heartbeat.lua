-- A node's sign of life in one partition: renews its lease, moves the clock, and says what there is to do.
--
-- KEYS  1 clock, 2 leases, 3 due, 4 owned:<node>, 5 timers
-- ARGV  1 node, 2 number, 3 lease (us), 4 heartbeat period (us), 5 lifetime of keys (s), 6 the life that the node knows
--       ('' for none), 7 id of a life that would begin now, 8 the highest clock that the node has seen,
--       9 '1': mark owned:<node> as whole (its '' entry)
-- reply {'held' | 'taken' | 'late', life, clock, time (ms), hold until, next deadline, next lease end of another node,
--       count of owned or '-1' when its '' is gone, '1' when due or timers lack, or may lack, what was put there, version of the statuses,
--       number of the last post}; '' where there is none
-- timers: the entry '', at +inf, is the mark that the list is whole

local clockKey, leasesKey, dueKey, ownedKey, timersKey = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local node, number, period, ttl, known = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4]), ARGV[5], ARGV[6]
local function text(n) return string.format('%.0f', n) end

local c = redis.call('HMGET', clockKey, 'life', 'now', 'time', 'replid', 'hold', 'fresh', 'born', 'number:' .. node, 'due', 'search', 'status', 'posts')
local life, now, hold, fresh, born = c[1], tonumber(c[2] or 0), tonumber(c[5] or 0), tonumber(c[6] or 0), tonumber(c[7] or 0)
if number <= tonumber(c[8] or 0) then return {'late', life or '', text(now), '0', '0', '', '', '0', '0', c[11] or '0', c[12] or '0'} end

local t = redis.call('TIME')
local time = tonumber(t[1]) * 1000000 + tonumber(t[2])
local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
local lost = life and c[4] ~= replid -- another server, or the same one restarted: writes may be missing
local due, dues, search = redis.call('ZCARD', dueKey), tonumber(c[9] or 0), c[10] or ''
local step = life and math.max(0, time - tonumber(c[3])) or 0
local cut = math.min(step, 1.5 * period)
if not life or lost then
  if not life then -- how many were due is lost with the clock: somebody has to look
    dues = due
    if known ~= '' then search = node
    else redis.call('ZADD', timersKey, '+inf', '') end
  end
  local seen = tonumber(ARGV[8])
  local before = life and now + cut or seen
  now = math.max(time, now, seen)
  if before > 0 and now > before then -- the clock leaps, so that versions rise: nobody's deadline comes nearer by that
    for _, key in ipairs({dueKey, timersKey}) do
      local all = redis.call('ZRANGEBYSCORE', key, '-inf', '(+inf', 'WITHSCORES')
      for i = 1, #all, 2 do redis.call('ZADD', key, text(tonumber(all[i + 1]) + now - before), all[i]) end
    end
  end
  life, born, hold, fresh = ARGV[7], now, 0, 0
else
  if step > cut then hold = math.max(hold, now + cut + 2 * period) end
  now = math.floor(now + cut)
end
-- Somebody knew another life: there is data to be put back, so nothing ends for two heartbeats. (A cluster's first life has none.)
if lost or (known ~= '' and known ~= life) then
  fresh = math.max(fresh, born + 2 * period)
  hold = math.max(hold, fresh)
end

local lease = tonumber(redis.call('ZSCORE', leasesKey, node) or 0)
redis.call('ZADD', leasesKey, text(now + tonumber(ARGV[3])), node)
if ARGV[9] == '1' then redis.call('SADD', ownedKey, '') end
redis.call('HSET', clockKey, 'life', life, 'now', text(now), 'time', text(time), 'replid', replid, 'hold', text(hold),
  'fresh', text(fresh), 'born', text(born), 'due', text(dues), 'search', search, 'number:' .. node, ARGV[2])
for i = 1, 5 do redis.call('EXPIRE', KEYS[i], ttl) end

local nextDue, nextTimer = redis.call('ZRANGE', dueKey, 0, 0, 'WITHSCORES')[2], redis.call('ZRANGEBYSCORE', timersKey, '-inf', '(+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
if nextTimer and (not nextDue or tonumber(nextTimer) < tonumber(nextDue)) then nextDue = nextTimer end
local nextLease = ''
local leases = redis.call('ZRANGE', leasesKey, 0, 1, 'WITHSCORES')
for i = 1, #leases, 2 do
  if leases[i] ~= node and nextLease == '' then nextLease = leases[i + 1] end
end
local owned = -1
if redis.call('SISMEMBER', ownedKey, '') == 1 then owned = redis.call('SCARD', ownedKey) - 1 end
return {lease > 0 and 'held' or 'taken', life, text(now), text(math.floor(time / 1000)), text(hold), nextDue or '', nextLease, text(owned),
  (search ~= '' or due < dues or not redis.call('ZSCORE', timersKey, '')) and '1' or '0', c[11] or '0', c[12] or '0'}
