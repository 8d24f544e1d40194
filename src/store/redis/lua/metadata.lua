-- Changes a user's metadata, the data that lasts: whole or not at all.
--
-- KEYS  1 meta:<user>
-- ARGV  1 'set', 'update' or 'remove', 2 author, 3 expected major revision (-1: any, 0: none), 4 most items,
--       5 most bytes of keys and values, 6 how long the major revision outlives the last item (s),
--       then 3 for each item: key, expected revision, value. 'remove' with no item removes all.
-- reply {'done', major revision}, or a refusal that changed nothing: {'outdated', key ('' for the major revision)},
--       {'missing', key}, {'items'}, {'bytes'}
-- The hash: field '' is 'major revision, bytes of keys and values', each item is 'revision updated(ms) author NUL value'.

local NUL, FIRST, ITEM = '\0', 7, 3
local key = KEYS[1]
local kind, author, expected, mostItems, mostBytes, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local function text(n) return string.format('%.0f', n) end
local function inParts(list, call) -- Lua hands over some thousand arguments at most
  for from = 1, #list, 1000 do call(unpack(list, from, math.min(from + 999, #list))) end
end

-- 1. What is there, and is it what the caller expects?
local head = redis.call('HGET', key, '')
local major, bytes = string.match(head or '0 0', '^(%d+) (%d+)$')
major, bytes = tonumber(major), tonumber(bytes)
if expected ~= -1 and expected ~= major then return {'outdated', ''} end
local count = redis.call('HLEN', key) - (head and 1 or 0)

local names, items, missing = {}, {}, nil
for i = FIRST, #ARGV, ITEM do names[#names + 1] = ARGV[i] end
inParts(names, function(...)
  for _, stored in ipairs(redis.call('HMGET', key, ...)) do
    local at = FIRST + #items * ITEM
    local item = {key = ARGV[at], expected = tonumber(ARGV[at + 1]), value = ARGV[at + 2], stored = stored, revision = 0, size = 0}
    if stored then
      item.revision, item.size = tonumber(string.match(stored, '^%d+')), #item.key + #stored - string.find(stored, NUL, 1, true)
    end
    items[#items + 1] = item
  end
end)
for _, item in ipairs(items) do
  if item.expected ~= -1 and item.expected ~= item.revision then return {'outdated', item.key} end
  if not item.stored and not missing then missing = item.key end
end
if kind == 'update' and missing then return {'missing', missing} end

-- 2. What will be there, and is it too much? What only shrinks may always be done, whatever was allowed before.
local newCount, newBytes = count, bytes
for _, item in ipairs(items) do
  if kind == 'remove' then
    if item.stored then newCount, newBytes = newCount - 1, newBytes - item.size end
  else
    if not item.stored then newCount = newCount + 1 end
    newBytes = newBytes + #item.key + #item.value - item.size
  end
end
if kind == 'remove' and #items == 0 then newCount, newBytes = 0, 0 end
if newCount > mostItems and newCount > count then return {'items'} end
if newBytes > mostBytes and newBytes > bytes then return {'bytes'} end
if kind == 'remove' and newCount == count then return {'done', text(major)} end

-- 3. Write.
local t = redis.call('TIME')
local time = tonumber(t[1]) * 1000000 + tonumber(t[2])
major = math.max(major + 1, time)
if newCount == 0 then
  redis.call('DEL', key)
elseif kind == 'remove' then
  inParts(names, function(...) redis.call('HDEL', key, ...) end)
else
  local fields, stamp = {}, table.concat({text(major), text(math.floor(time / 1000)), author}, ' ') .. NUL
  for _, item in ipairs(items) do
    fields[#fields + 1] = item.key
    fields[#fields + 1] = stamp .. item.value
  end
  inParts(fields, function(...) redis.call('HSET', key, ...) end)
end
redis.call('HSET', key, '', text(major) .. ' ' .. text(newBytes))
if newCount == 0 then
  redis.call('EXPIRE', key, ttl)
else
  redis.call('PERSIST', key)
end
return {'done', text(major)}
