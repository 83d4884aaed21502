-- One exchange of a replica with the shared budget: what it did is filed, what it
-- wants is compared with what the others want, and what it may do is answered. All
-- state is one hash, so that it is lost as a whole or not at all. Times are
-- milliseconds of this server's clock.
--
-- KEYS: the hash. ARGV: replica, number, replicas at most, known epoch, known count,
-- 1 if the uses are all of the last minute and a half, open verifications, 1 if a
-- webhook came, three limits, three times score, soon and rest, peers as
-- name=ago;…, and then uses as operation:id:sent:answered:flags:pause.
--
-- Fields: e epoch, c count of exchanges, t time of the last, es when the epoch began,
-- q quiet until, cold whether the epoch began without anybody who knew the one before;
-- r:<replica> a replica, l:<replica> one that left, b<op>:<replica> a standing bid,
-- u<op>:<replica>:<id> a call; g, o, f, at, p, x, k, s and i with an operation: last
-- slot, since when a slot is free, part of the limit that 429s leave and when that was
-- raised, pause, last 429, last cut, strikes, and whether the next call is a trial.

local key, name, number = KEYS[1], ARGV[1], tonumber(ARGV[2])
local most, epoch, count, full = tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5]), ARGV[6] == '1'
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local MINUTE, SILENT, FORGET, QUIET, HOLD, LIVE, HANG = 60100, 2500, 600000, 2000, 300, 1500, 90000

local s, changed, gone = {}, {}, {}
local flat = redis.call('HGETALL', key)
for i = 1, #flat, 2 do s[flat[i]] = flat[i + 1] end
local function put(field, value)
  value = tostring(value)
  if s[field] ~= value then s[field], changed[field], gone[field] = value, value, nil end
end
local function drop(field)
  if s[field] then s[field], changed[field], gone[field] = nil, nil, true end
end
local function num(field, default) return tonumber(s[field] or default) end
local function int(x) return string.format('%.0f', x) end

-- A replica is "number seen base in welcome pending answer": when it was heard of last,
-- since when it may be spending its own share, whether its calls are known, and from
-- which count on what it says of them is true.
local function decode(v)
  local n, seen, base, is, welcome, pending, answer = string.match(v, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (.*)$')
  return {number = tonumber(n), seen = tonumber(seen), base = tonumber(base), is = is == '1', welcome = tonumber(welcome),
    pending = tonumber(pending), answer = answer}
end
local function encode(r)
  return table.concat({int(r.number), int(r.seen), int(r.base), r.is and '1' or '0', int(r.welcome), int(r.pending), r.answer}, ' ')
end
local replicas = {}
for field, v in pairs(s) do
  if string.sub(field, 1, 2) == 'r:' then replicas[string.sub(field, 3)] = decode(v) end
end

local me = replicas[name]
local none = '0,0,0|1000,1000,1000|0,0,0|0|0|0|'
if me and me.number == number then return me.answer end
if me and me.number > number or s['l:' .. name] then return (s.e or '') .. '|' .. (s.c or '0') .. '|' .. none end

-- What was lost, if anything.
local known = s.e ~= nil
local back = known and (now < num('t', 0) - 1000 or epoch == s.e and count > num('c', 0))
if not known or back then
  if back then
    for n, r in pairs(replicas) do
      r.is, r.welcome, r.seen, r.base = false, 0, math.min(r.seen, now), math.min(r.base, now)
    end
    for field, v in pairs(s) do
      if string.sub(field, 1, 1) == 'u' and tonumber(string.sub(v, 2)) > now then put(field, string.sub(v, 1, 1) .. int(now)) end
    end
    for _, field in ipairs({'g1', 'g2', 'g3', 'p1', 'p2', 'p3', 'o1', 'o2', 'o3'}) do drop(field) end
  end
  put('e', name .. '.' .. int(number) .. '.' .. int(now))
  put('c', 0)
  put('es', int(now))
  put('q', int(now + QUIET))
  put('cold', epoch == '' and not back and 1 or 0)
end
if epoch ~= '' and epoch ~= s.e then
  put('cold', 0) -- somebody remembers who there was
  for peer, ago in string.gmatch(ARGV[21], '([^=;]+)=(%d+)') do
    if peer ~= name and not replicas[peer] and not s['l:' .. peer] and tonumber(ago) < FORGET then
      local at = now - tonumber(ago)
      replicas[peer] = {number = 0, seen = at, base = at, is = false, welcome = 0, pending = 0, answer = '-', fresh = true}
    end
  end
end
put('t', int(now))
local c = num('c', 0) + 1
put('c', int(c))

-- This replica.
if not me then
  me = {number = 0, seen = now, base = now, is = false, welcome = 0, pending = 0, answer = '-'}
  replicas[name] = me
end
if me.is and now - me.seen > SILENT then me.is, me.welcome, me.base = false, 0, me.seen end
local resend = false
if not me.is then
  if me.welcome > 0 and full and epoch == s.e and count >= me.welcome then
    me.is = true
  else
    if me.welcome == 0 then me.welcome = c end
    resend = true
  end
end
me.seen, me.number, me.pending = now, number, tonumber(ARGV[7])

-- What it did.
for i = 22, #ARGV do
  local op, id, sent, answered, flags, pause = string.match(ARGV[i], '^(%d):(%d+):(%d+):(%-?%d+):(%d):(%d+)$')
  local field, was = 'u' .. op .. ':' .. name .. ':' .. id, nil
  was = s[field]
  sent, answered, pause = tonumber(sent), tonumber(answered), tonumber(pause)
  if flags == '1' then -- it was not made after all
    drop(field)
  elseif answered < 0 then
    if not was then put(field, 'f' .. int(now - sent)) end
  elseif not was or string.sub(was, 1, 1) == 'f' or full then
    put(field, 'a' .. int(now - answered))
    local heard = not was or string.sub(was, 1, 1) == 'f'
    if flags == '2' and heard then -- a 429
      put('x' .. op, int(now - answered))
      put('i' .. op, 1)
      local first = now - sent > num('k' .. op, 0)
      if first then
        put('f' .. op, num('f' .. op, 1) * 0.85)
        put('at' .. op, int(now))
        put('k' .. op, int(now - answered))
        put('s' .. op, math.min(num('s' .. op, 0) + 1, 5))
      end
      if pause == 0 and first then pause = math.min(30000, 1000 * 2 ^ num('s' .. op, 1)) end
      if pause > 0 then put('p' .. op, int(math.max(num('p' .. op, 0), now - answered + pause))) end
    elseif heard and now - sent >= num('x' .. op, 0) then
      drop('i' .. op)
      drop('s' .. op)
    end
  end
end
if ARGV[8] == '1' and s.p2 then put('p2', int(math.min(num('p2', 0), num('x2', 0) + 30000))) end

-- What counts, and who wants what.
local calls, answeredAt, best, waiting = {0, 0, 0}, {{}, {}, {}}, {0, 0, 0}, {0, 0, 0}
-- What a standing bid is worth now: as it was said in this very slot, or on the way to
-- what it was said to become a step later. What must go before all others does so then.
local function worth(score, soon, at, step, open)
  if at >= open or soon >= 1000 and score < 1000 and now - at < 0.9 * step then return score end
  return score + (soon - score) * math.min(1.5, (now - at) / math.max(1, step))
end
for field, v in pairs(s) do
  local first = string.sub(field, 1, 1)
  if first == 'u' then
    local op, at = tonumber(string.sub(field, 2, 2)), tonumber(string.sub(v, 2))
    if string.sub(v, 1, 1) == 'f' then
      if now - at < HANG then calls[op] = calls[op] + 1 else gone[field] = true end
    elseif now - at < MINUTE then
      calls[op] = calls[op] + 1
      table.insert(answeredAt[op], at)
    else
      gone[field] = true
    end
  elseif first == 'b' then
    local op, score, soon, at, step = tonumber(string.sub(field, 2, 2)), string.match(v, '^(%S+) (%S+) (%S+) (%S+)$')
    score, soon, at, step = tonumber(score), tonumber(soon), tonumber(at), tonumber(step)
    local open = num('o' .. op, now + 1)
    if now - at > LIVE then
      gone[field] = true
    elseif string.sub(field, 4) ~= name then
      best[op] = math.max(best[op], worth(score, soon, at, step, open))
      if at >= open then waiting[op] = math.max(waiting[op], score) end
    end
  elseif string.sub(field, 1, 2) == 'l:' and now - tonumber(v) > FORGET then
    gone[field] = true
  end
end

-- Who is silent, or not known, is taken to spend a static share.
local live, pending, busy, silent, peers = 0, 0, 0, {}, {}
for n, r in pairs(replicas) do
  if now - r.seen > FORGET then
    gone['r:' .. n] = true
  else
    table.insert(peers, n .. '=' .. int(now - (r.is and r.seen or r.base)))
    if r.is and now - r.seen <= SILENT then
      live = live + 1
      pending = pending + r.pending
      if r.pending > 0 then busy = busy + 1 end
    else
      table.insert(silent, math.max(0, math.min(1, (now - (r.is and r.seen or r.base) - SILENT) / 60000)))
    end
  end
end
if s.cold == '1' and now - num('es', now) < FORGET then
  local unknown = math.min(1, (now - num('es', now)) / 60000)
  for _ = live + #silent + 1, most do table.insert(silent, unknown) end
end
table.sort(silent, function(a, b) return a > b end)
local absent = 0
for i = 1, math.min(#silent, math.max(0, most - live)) do absent = absent + silent[i] end

local granted, waits, rates = {}, {}, {}
for op = 1, 3 do
  local limit = tonumber(ARGV[8 + op])
  local score, soon, rest = tonumber(ARGV[9 + 3 * op]), tonumber(ARGV[10 + 3 * op]), tonumber(ARGV[11 + 3 * op])
  local part = num('f' .. op, 1)
  if part < 1 and now > num('p' .. op, 0) then -- what was cut comes back: two a minute, or a thirtieth
    local since = math.max(num('at' .. op, now), num('p' .. op, 0))
    part = math.min(1, part + math.max(2 / limit, 1 / 30) * (now - since) / 60000)
    put('f' .. op, part)
    put('at' .. op, int(now))
  end
  local usable = math.max(math.min(1, limit), limit * part) - math.floor(limit / most) * absent
  local fit = math.floor(usable)
  local free = 0
  if fit < 1 then
    free = now + 1000
  elseif calls[op] + 1 > fit then
    table.sort(answeredAt[op])
    free = (answeredAt[op][calls[op] + 1 - fit] or now + 1000 - MINUTE) + MINUTE
  end
  local step = 60000 / math.max(1, usable)
  if s.cold == '1' and now - num('es', now) < 60000 then
    step = step * 61 / 60
  elseif op ~= 2 then -- few who come together need not wait
    step = step * math.max(0, math.min(1, (calls[op] / math.max(1, usable) - 0.25) / 0.75))
  end
  local at = math.max(num('q', 0), num('p' .. op, 0), num('g' .. op, 0) + step, free)
  if s['i' .. op] and num('g' .. op, 0) > num('x' .. op, 0) then at = math.max(at, num('g' .. op, 0) + 5000) end
  granted[op], waits[op], rates[op] = 0, at - now, usable
  if at <= now and me.is and score > 0 then
    local open = num('o' .. op, now)
    put('o' .. op, int(open))
    if score >= best[op] or now >= open + HOLD then
      granted[op] = 1
      put('u' .. op .. ':' .. name .. ':' .. int(number), 'f' .. int(now))
      put('g' .. op, int(math.max(num('g' .. op, 0) + step, now - HOLD - 50)))
      drop('o' .. op)
      waits[op] = math.max(0, num('g' .. op, 0) + step - now)
    elseif score >= waiting[op] then
      waits[op] = open + HOLD - now -- next in line, if the others do not come
    else
      waits[op] = step
    end
  end
  if granted[op] == 1 then score, soon = rest, rest end
  if soon > 0 and me.is then
    put('b' .. op .. ':' .. name, string.format('%.9g %.9g %.0f %.0f', score, soon, now, step))
  else
    drop('b' .. op .. ':' .. name)
  end
  waits[op] = int(math.max(0, math.min(waits[op], 60000)))
  rates[op] = string.format('%.2f', math.max(0, rates[op]))
end

me.answer = table.concat({s.e, int(c), table.concat(granted, ','), table.concat(waits, ','), table.concat(rates, ','),
  resend and '1' or '0', int(pending), int(busy), table.concat(peers, ';')}, '|')
for n, r in pairs(replicas) do
  if n == name or r.fresh or back then
    if not gone['r:' .. n] then put('r:' .. n, encode(r)) end
  end
end

local list = {}
for field in pairs(gone) do table.insert(list, field) end
for i = 1, #list, 1000 do redis.call('HDEL', key, unpack(list, i, math.min(i + 999, #list))) end
list = {}
for field, v in pairs(changed) do
  if not gone[field] then
    table.insert(list, field)
    table.insert(list, v)
  end
end
for i = 1, #list, 1000 do redis.call('HSET', key, unpack(list, i, math.min(i + 999, #list))) end
redis.call('PEXPIRE', key, 3600000)
return me.answer
