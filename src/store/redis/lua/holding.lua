-- Which of some users have messages that are kept.
--
-- KEYS  inbox:<user> of each
-- reply the numbers of those, from 1

local reply = {}
for i, inbox in ipairs(KEYS) do
  if redis.call('EXISTS', inbox) == 1 then reply[#reply + 1] = tostring(i) end
end
return reply
