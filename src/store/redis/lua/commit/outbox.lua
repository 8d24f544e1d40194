-- What the application's own servers are told (webhooks).

local function tell(ch, version, kind, channel, user, states, code, reason)
  if receiving == '::' or not string.find(receiving, ':' .. string.match(channel, '^[^:]+:'), 1, true) then return end
  ch.told[#ch.told + 1] = {version = version, kind = kind, channel = channel, user = user, states = states or '', code = code or '', reason = reason or ''}
end

local function writeOutbox()
  if receiving == '::' then return end
  local wrote = false
  for _, ch in ipairs(order) do
    local first, last = ch.told[1], ch.told[#ch.told]
    if last and not ch.seen then
      if ch.occupied then table.insert(ch.told, 1, {version = first.version, kind = 'occupied', channel = first.channel, user = '', states = '', code = '', reason = ''}) end
      if ch.vacated then tell(ch, last.version, 'vacated', last.channel, '') end
    end
    for _, e in ipairs(ch.told) do
      sequence, wrote = sequence + 1, true
      redis.call('XADD', outboxKey, 'MAXLEN', '~', outboxMost, '*', 'e',
        table.concat({life, text(sequence), text(e.version), text(math.floor(time / 1000)), e.kind, e.channel, e.user, e.states or '', e.code, e.reason}, NUL))
    end
  end
  if wrote then
    redis.call('EXPIRE', outboxKey, ttl, 'NX')
    redis.call('SPUBLISH', writtenKey, '')
  end
end
