-- One exchange of a replica with the shared budget: what it did is filed, what it
-- wants is compared with what the others want, and what it may do is answered. Times
-- are milliseconds of this server's clock.
--
-- KEYS: a hash, the calls, the replica's last answer. ARGV: replica, number, replicas
-- at most, known epoch, known count, 1 if the uses are all of the last minute and a
-- half, open verifications, 1 if a webhook came, three limits, three times score, soon
-- and rest, peers as name=ago;…, version and text of what was learned, how long calls of
-- those who left still count, and then uses as operation:id:sent:answered:flags:pause.
--
-- The hash has a field s, l:<replica> for each that left, with the time, and
-- r:<replica> for each other:
--   s: e epoch, c count of exchanges, t time of the last, es when the epoch began, q
--     quiet until, cold whether it began without anybody who knew the one before,
--     learned and version of it; ops: for each operation, where there was any, last
--     slot, open since when a slot is free, part of the limit that 429s leave and when
--     that was raised, pause until, refused by the last 429 when, when part was cut last,
--     strikes, trial whether the next call is one.
--   r: number, seen, base since when it may be spending its own share, is whether its
--     calls are known, welcome the count from which on what it says of them is true,
--     pending; bids: for each operation score, soon, when and step, or nothing.
-- The calls are a sorted set of operation:replica:id. Scores are times, in a range of
-- their own for each operation, before and after the answer. A member ! has the count,
-- so that it is noticed when one of the two keys is lost.
-- The last answer is the number and what was answered.

local MINUTE, SILENT, FORGET, QUIET, HOLD, LIVE, HANG = 60100, 2500, 600000, 2000, 300, 1500, 90000
local RANGE = 2 ^ 42
local NOTHING = {last = 0, part = 1, raised = 0, pause = 0, refused = 0, cut = 0, strikes = 0}

local before = redis.call('GET', KEYS[3])
if before and string.match(before, '^%d+') == ARGV[2] then return string.match(before, '^%d+ (.*)$') end

local hash, calls, name, number = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2])
local most, epoch, count, full = tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5]), ARGV[6] == '1'
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function int(x) return string.format('%.0f', x) end
local floor, max, min = math.floor, math.max, math.min
local function worth(x)
  x = tonumber(x) or 0
  return x > 0 and min(x, 1e12) or 0
end

-- What is known.
local s, replicas, left, gone = nil, {}, {}, {}
local flat = redis.call('HGETALL', hash)
for i = 1, #flat, 2 do
  local field, v = flat[i], flat[i + 1]
  local kind, of = string.sub(field, 1, 2), string.sub(field, 3)
  if kind == 'l:' then
    left[of] = tonumber(v)
    if now - left[of] > FORGET then gone[#gone + 1] = field end
  else
    local ok, value = pcall(cjson.decode, v)
    if not ok or type(value) ~= 'table' then
      gone[#gone + 1] = field
    elseif field == 's' then
      s = value
    else
      replicas[of] = value
    end
  end
end
local me = replicas[name]
if me and me.number >= number or left[name] then
  return (s and s.e or '') .. '|' .. int(s and s.c or 0) .. '|0,0,0|1000,1000,1000|0,0,0|0|0|0||' .. ARGV[22] .. '|'
end

-- Where calls of an operation have their scores, unanswered or answered.
local function from(op, answered) return (2 * op + (answered and 1 or 0)) * RANGE end

local known = s ~= nil
local marked = tonumber(redis.call('ZSCORE', calls, '!') or -1)
local back = known and (now < s.t - 1000 or epoch == s.e and count > s.c or marked ~= s.c)
local resend = false
local rewritten = {} -- replicas whose lines changed besides this one's

-- What was lost, if anything.
if not known or back then
  if back then
    for n, r in pairs(replicas) do
      r.is, r.welcome, r.seen, r.base = 0, 0, min(r.seen, now), min(r.base, now)
      rewritten[n] = true
    end
  end
  local all = redis.call('ZRANGE', calls, 0, -1, 'WITHSCORES')
  for i = 1, #all, 2 do
    local score = tonumber(all[i + 1])
    if all[i] ~= '!' and score % RANGE > now then redis.call('ZADD', calls, score - score % RANGE + now, all[i]) end
  end
  s = s or {ops = {{}, {}, {}}, version = 0, learned = ''}
  s.e, s.c, s.es, s.q = name .. '.' .. int(number) .. '.' .. int(now), 0, now, now + QUIET
  s.cold = epoch == '' and not back and 1 or 0
  for op = 1, 3 do s.ops[op].last, s.ops[op].open, s.ops[op].pause = nil, nil, nil end
end
for op = 1, 3 do setmetatable(s.ops[op], {__index = NOTHING}) end
if epoch ~= '' and epoch ~= s.e then
  s.cold = 0 -- somebody remembers who there was
  s.q = max(s.q, now + min(tonumber(ARGV[24]), MINUTE))
  for peer, ago in string.gmatch(ARGV[21], '([^=;]+)=(%d+)') do
    local r, at = replicas[peer], now - tonumber(ago)
    if peer ~= name and not left[peer] and tonumber(ago) < FORGET and not (r and r.seen >= at) then
      if not r then
        r = {number = 0, base = at, is = 0, welcome = 0, pending = 0, bids = {}}
        replicas[peer] = r
      end
      r.seen = at
      rewritten[peer] = true
    end
  end
end
s.t, s.c = now, s.c + 1

-- This replica.
if not me then
  me = {number = 0, seen = now, base = now, is = 0, welcome = 0, pending = 0, bids = {}}
  replicas[name] = me
end
if me.is == 1 and now - me.seen > SILENT then me.is, me.welcome, me.base = 0, 0, me.seen end
if me.is == 0 then
  if me.welcome > 0 and full and epoch == s.e and count >= me.welcome then
    me.is = 1
  else
    if me.welcome == 0 then me.welcome = s.c end
    resend = true
  end
end
me.seen, me.number, me.pending = now, number, tonumber(ARGV[7])

-- What it did.
for i = 25, #ARGV do
  local digit, id, sent, answered, flags, pause = string.match(ARGV[i], '^([123]):(%d+):(%d+):(%-?%d+):(%d):(%d+)$')
  local op, call = tonumber(digit), digit .. ':' .. name .. ':' .. id
  local o, was = s.ops[op], tonumber(redis.call('ZSCORE', calls, call) or -1)
  local news = was < from(op, true) -- its answer is
  sent, answered, pause = tonumber(sent), tonumber(answered), tonumber(pause)
  if flags == '1' then -- it was not made after all
    redis.call('ZREM', calls, call)
  elseif answered < 0 then
    if was < 0 then redis.call('ZADD', calls, from(op, false) + now - sent, call) end
  elseif news or full then
    redis.call('ZADD', calls, from(op, true) + now - answered, call)
    if flags == '2' and news then -- a 429
      o.refused, o.trial = now - answered, true
      local first = now - sent > o.cut
      if first then
        o.part, o.raised, o.cut, o.strikes = o.part * 0.85, now, now - answered, min(o.strikes + 1, 5)
      end
      if pause == 0 and first then pause = min(30000, 1000 * 2 ^ o.strikes) end
      if pause > 0 then o.pause = max(o.pause, now - answered + pause) end
    elseif news and now - sent >= o.refused then
      o.trial, o.strikes = nil, nil
    end
  end
end
local checks = s.ops[2]
if ARGV[8] == '1' and checks.pause > 0 then checks.pause = min(checks.pause, checks.refused + 30000) end
if ARGV[23] ~= '' and tonumber(ARGV[22]) == s.version then s.learned, s.version = ARGV[23], s.c end

-- Who is silent, or not known, is taken to spend a static share.
local live, pending, silent, peers, lost = 0, 0, {}, {}, 0
for n, r in pairs(replicas) do
  if now - r.seen > FORGET then
    gone[#gone + 1] = 'r:' .. n
    rewritten[n] = nil
  else
    local heard = r.is == 1 and r.seen or r.base
    peers[#peers + 1] = n .. '=' .. int(now - heard)
    if r.is == 1 and now - r.seen <= SILENT then
      live = live + 1
      pending = pending + r.pending
    else
      silent[#silent + 1] = max(0, min(1, (now - heard - SILENT) / 60000))
    end
    -- What it did until it was heard of last was lost, and it is not there to tell.
    if r.is == 0 and r.seen < s.es then lost = max(lost, r.seen + MINUTE) end
  end
end

local owed = s.q - now -- how long calls that nobody can tell of any more still count
for _, at in pairs(left) do owed = max(owed, at + MINUTE - now) end

if s.cold == 1 and now - s.es < FORGET then
  local unknown = min(1, (now - s.es) / 60000)
  for _ = live + #silent + 1, most do silent[#silent + 1] = unknown end
end
table.sort(silent, function(a, b) return a > b end)
local absent = 0
for i = 1, min(#silent, max(0, most - live)) do absent = absent + silent[i] end

local granted, waits, rates, bids = {}, {}, {}, {}
for op = 1, 3 do
  local o, limit = s.ops[op], tonumber(ARGV[8 + op])
  local score, soon, rest = worth(ARGV[9 + 3 * op]), worth(ARGV[10 + 3 * op]), worth(ARGV[11 + 3 * op])
  if o.part < 1 and now > o.pause then -- what was cut comes back: two a minute, or a thirtieth
    local since = max(o.raised, o.pause)
    o.part, o.raised = min(1, o.part + max(2 / limit, 1 / 30) * (now - since) / 60000), now
  end
  local usable = max(min(1, limit), limit * o.part) - floor(limit / most) * absent
  local fit = floor(usable)

  -- When the next slot is.
  local oldest, newest = from(op, true) + now - MINUTE + 1, from(op, true) + RANGE - 1
  local answered = redis.call('ZCOUNT', calls, oldest, newest)
  local used = answered + redis.call('ZCOUNT', calls, from(op, false) + now - HANG + 1, from(op, true) - 1)
  local free = 0
  if fit < 1 or used >= fit and used - fit >= answered then
    free = now + 1000
  elseif used >= fit then
    local first = redis.call('ZRANGEBYSCORE', calls, oldest, newest, 'WITHSCORES', 'LIMIT', used - fit, 1)
    free = tonumber(first[2]) % RANGE + MINUTE
  end
  local step = 60000 / max(1, usable)
  if s.cold == 1 and now - s.es < 60000 then
    step = step * 61 / 60
  elseif op ~= 2 then -- few who come together need not wait
    step = step * max(0, min(1, (used / max(1, usable) - 0.25) / 0.75))
  end
  local at = max(s.q, lost, o.pause, o.last + step, free)
  if o.trial and o.last > o.refused then at = max(at, o.last + 5000) end

  -- What the others would give for it: what they said in this very slot, or before it on
  -- the way to what they said it would be worth a step later. What must go before all
  -- others does so then.
  local best, waiting = 0, 0
  for n, r in pairs(replicas) do
    local bid = r.bids[op]
    if n ~= name and bid and bid[1] and now - bid[3] <= LIVE then
      local here = o.open and bid[3] >= o.open
      local value = bid[1]
      if not here and (bid[2] < 1000 or bid[1] >= 1000 or now - bid[3] >= 0.9 * bid[4]) then
        value = value + (bid[2] - value) * min(1.5, (now - bid[3]) / max(1, bid[4]))
      end
      best = max(best, value)
      if here then waiting = max(waiting, value) end
    end
  end

  granted[op], waits[op], rates[op] = 0, at - now, string.format('%.2f', max(0, usable))
  if at <= now and me.is == 1 and score > 0 then
    o.open = o.open or now
    if score >= best or now >= o.open + HOLD then
      granted[op] = 1
      redis.call('ZADD', calls, from(op, false) + now, op .. ':' .. name .. ':' .. ARGV[2])
      o.last, o.open = max(o.last + step, now - HOLD - 50), nil
      waits[op] = max(0, o.last + step - now)
      score, soon = rest, rest
    elseif score >= waiting then
      waits[op] = o.open + HOLD - now -- next in line, if the others do not come
    else
      waits[op] = step
    end
  end
  bids[op] = me.is == 1 and soon > 0 and {score, soon, now, floor(step)} or {}
  waits[op] = int(max(0, min(waits[op], 60000)))
end
local answer = table.concat({s.e, int(s.c), table.concat(granted, ','), table.concat(waits, ','), table.concat(rates, ','),
  resend and '1' or '0', int(pending), int(max(0, owed)), table.concat(peers, ';'), int(s.version),
  s.version ~= tonumber(ARGV[22]) and s.learned or ''}, '|')

-- What is known from now on.
me.bids = bids
rewritten[name] = true
local list = {'s', cjson.encode(s)}
for n in pairs(rewritten) do
  list[#list + 1] = 'r:' .. n
  list[#list + 1] = cjson.encode(replicas[n])
end
for i = 1, #gone, 1000 do redis.call('HDEL', hash, unpack(gone, i, min(i + 999, #gone))) end
for i = 1, #list, 1000 do redis.call('HSET', hash, unpack(list, i, min(i + 999, #list))) end
redis.call('ZADD', calls, s.c, '!')
if s.c % 16 == 1 then -- the first of an epoch, and some later
  for op = 1, 3 do
    redis.call('ZREMRANGEBYSCORE', calls, from(op, false), from(op, false) + now - HANG)
    redis.call('ZREMRANGEBYSCORE', calls, from(op, true), from(op, true) + now - MINUTE)
  end
  redis.call('PEXPIRE', hash, 3600000)
  redis.call('PEXPIRE', calls, 3600000)
end
redis.call('SET', KEYS[3], ARGV[2] .. ' ' .. answer, 'PX', 60000)
return answer
