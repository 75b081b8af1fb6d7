-- What permits.lua and report.lua share; each of them runs with this text in front. It reads both states, ages them by
-- the server's clock, and says when a breaker opens.
--
-- KEYS[1] is one MessagePack value, read once and written once: what all endpoints share (limits, retry budget) and,
-- packed inside it so that only one is unpacked, the breaker of charges and that of look-ups. A missing or unreadable
-- value begins anew, without a burst. ARGV[1] is the endpoint, 1 … 5. Times are microseconds, exact in Lua's numbers
-- until the year 2255; levels are thousandths. Rings are short, because packing them is most of what a call costs.

local floor, ceil, min, max, tonumber = math.floor, math.ceil, math.min, math.max, tonumber

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local SECOND = 1000000
local EXPIRY_MS = 86400000

-- The global limit counts permits by the moment they are for, in cells. An interval of 1.05 s (a second, and the
-- jitter of sending) touches at most 22 cells of 50 ms. 64 cells hold a window past and the longest reservation; a cell
-- is one byte, so that 5,100 permits a second are the most there can be.
local CELL, CELLS, WINDOW, CELL_MAX = 50000, 64, 22, 255
local RESERVED_MAX = 2 * SECOND

-- Permits by the moment they are for, in quarters of a second: 1.5 s back, and the longest reservation.
local QUARTER, QUARTERS = 250000, 16

-- Permits nobody has reported yet are counted for this long and for the same time before; then they are given up, since
-- an attempt takes 5 s at most.
local EPOCH = 5 * SECOND

-- What was reported in the last ten seconds, in buckets of one; the past ones stay packed while the second lasts.
local BUCKETS, SAMPLES_MIN = 10, 20

-- So many faults since the last success say it sooner: ten seconds hold many successes from before.
local FAULTS_MAX = 20

-- Without a success for this long, 20 unanswered permits of more than this age say that calls hang.
local SILENCE, UNANSWERED_MIN = 6 * QUARTER, 20

local CLOSED, OPEN, HALF_OPEN = 0, 1, 2
local OPEN_MIN, OPEN_MAX = SECOND / 2, 2 * SECOND

local function zeros(n)
  local list = {}
  for i = 1, n do list[i] = 0 end
  return list
end

local function sum(list)
  local total = 0
  for i = 1, #list do total = total + list[i] end
  return total
end

-- A packed table; nil if it is none.
local function unpacked(value)
  if type(value) ~= 'string' then return nil end
  local read, state = pcall(cmsgpack.unpack, value)
  return read and type(state) == 'table' and state or nil
end

-- Zeroes what a ring's new end overwrites, and returns that end.
local function roll(ring, ends, to)
  local size = #ring
  for i = max(ends + 1, to - size + 1), to do ring[i % size + 1] = 0 end
  return max(ends, to)
end

local all = unpacked(redis.pcall('GET', KEYS[1]))
-- One from more than a second in the future was written by a clock that has been set back since.
if not all or type(all.touched) ~= 'number' or all.touched > now + SECOND then
  all = {
    born = now, tokens = 100, mixed_until = 0,
    next = { now, now, now, now, now },
    slowed = {},
    cells = string.rep('\0', CELLS), cells_end = 0,
    breakers = { '', '' },
  }
end
local breaker = ARGV[1] == '5' and 2 or 1
local group = unpacked(all.breakers[breaker]) or {
  mode = CLOSED, open_until = 0, opens = 0, probe_until = 0, wins = 0, closed_at = 0, since = 0, last_ok = now,
  second = 0, ok = 0, bad = 0, faults = 0, past = '', past_ok = 0, past_bad = 0,
  sent = zeros(QUARTERS), sent_end = 0, epoch = 0, unreported = 0, unreported_before = 0,
}
-- One that was written before faults in a row were counted.
group.faults = group.faults or 0
all.touched = now
local second = floor(now / SECOND)
if second > group.second then
  local past, kept = unpacked(group.past) or {}, {}
  past[#past + 1] = { group.second, group.ok, group.bad }
  group.second, group.ok, group.bad, group.past_ok, group.past_bad = second, 0, 0, 0, 0
  for i = 1, #past do
    if past[i][1] > second - BUCKETS then
      kept[#kept + 1] = past[i]
      group.past_ok, group.past_bad = group.past_ok + past[i][2], group.past_bad + past[i][3]
    end
  end
  group.past = cmsgpack.pack(kept)
end
group.sent_end = roll(group.sent, group.sent_end, floor((now + RESERVED_MAX) / QUARTER) + 1)
local epoch = floor(now / EPOCH)
if epoch > group.epoch then
  group.unreported_before = epoch == group.epoch + 1 and group.unreported or 0
  group.epoch, group.unreported = epoch, 0
end

-- A level that was lowered to `level` at `hit`, risen since by 5 % of the full one in ten seconds.
local function risen(lowered)
  if not lowered then return 1000 end
  return min(1000, lowered.level + max(0, floor((now - lowered.hit) / 200000)))
end

-- Begins to count anew: what was sent before `since` says nothing about what comes.
local function forget()
  group.since = now
  group.ok, group.bad, group.faults, group.past, group.past_ok, group.past_bad = 0, 0, 0, '', 0, 0
  group.sent = zeros(QUARTERS)
  group.unreported, group.unreported_before = 0, 0
end

-- Opens for 0.5 to 2 s, twice as long each time; `random` in 0 … 1000 takes up to half of that away.
local function open(random)
  local pause = min(OPEN_MAX, OPEN_MIN * 2 ^ group.opens)
  group.opens = min(group.opens + 1, 8)
  group.mode, group.open_until = OPEN, now + floor(pause * (1000 - random / 2) / 1000)
  group.probe_until, group.wins = 0, 0
  forget()
end

-- Whether calls hang. Of what is unreported, all that is younger, or still to be sent, is taken off.
local function is_silent()
  local unreported = group.unreported + group.unreported_before
  if now - group.last_ok < SILENCE or unreported < UNANSWERED_MIN then return false end
  return unreported - sum(group.sent) >= UNANSWERED_MIN
end

-- Moves the breaker on: closed to open on faults or silence, open to half-open when its time is over.
local function judge(random)
  if group.mode == CLOSED then
    local ok, bad = group.ok + group.past_ok, group.bad + group.past_bad
    if (ok + bad >= SAMPLES_MIN and bad >= ok) or group.faults >= FAULTS_MAX or is_silent() then open(random) end
  elseif group.mode == OPEN and now >= group.open_until then
    group.mode, group.probe_until, group.wins = HALF_OPEN, 0, 0
  end
end

local function save()
  all.breakers[breaker] = cmsgpack.pack(group)
  redis.call('SET', KEYS[1], cmsgpack.pack(all), 'PX', EXPIRY_MS)
end
