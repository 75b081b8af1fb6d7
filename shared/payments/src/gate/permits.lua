-- Gives permits for one batch and step: breaker, retry budget, the endpoint's limit and the global one, at once.
-- ARGV: 1 endpoint 1 … 5; 2 how many; 3 the longest wait; 4 the endpoint's interval between permits at its full rate;
-- 5 how many permits of all endpoints a window may hold for this endpoint to get one; 6 how much of a missed interval
-- may be made up for; 7 a random number in 0 … 1000; 8 1 for a retry; 9 the caller's last `born`, or 0; 10 1 if the
-- caller was without Redis for a second or more; 11 how far ahead the caller last saw the endpoint reserved.
-- Returns: denial of what is not granted (0 none, 1 rate, 2 breaker, 3 budget), when to ask again, 1 if the permit is a
-- probe, 1 if callers must also keep to their local share, how far ahead the endpoint is reserved, `born`, what room is
-- left for this endpoint in the next second, and the wait of each permit.

local endpoint, wanted, most_wait = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local interval, limit, tolerance = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local random, retry = tonumber(ARGV[7]), ARGV[8] == '1'
local known, away, ahead = tonumber(ARGV[9]), ARGV[10] == '1', tonumber(ARGV[11])

local ALL_ENDPOINTS = 'all'
local LEASE, MIXED = 2500000, 4 * SECOND
local RAMP_FROM, RAMP_FOR = 250, 5 * SECOND
local RATE, BREAKER, BUDGET = 1, 2, 3

-- The state was lost while the caller held permits: they come before what is given now. And whoever comes back from
-- its local share has permits of that left, and others are still there: nobody takes more than its share for a while.
local lost = known ~= 0 and known ~= all.born and now - all.born < 10 * SECOND
if lost then all.next[endpoint] = max(all.next[endpoint], now + min(ahead, RESERVED_MAX)) end
if lost or away then all.mixed_until = now + MIXED end

judge(random)

-- The rate now: slower after a 429, and for some seconds after the breaker has closed.
local ramp = 1000
if group.closed_at > 0 then
  ramp = min(1000, RAMP_FROM + floor((now - group.closed_at) * (1000 - RAMP_FROM) / RAMP_FOR))
end
local level, level_of_all = risen(all.slowed[endpoint]), risen(all.slowed[ALL_ENDPOINTS])
interval = ceil(interval * 1000000000 / (ramp * level * level_of_all))
limit = max(1, floor(limit * level_of_all / 1000))

-- A clock that was set back must not leave a reservation far in the future.
all.next[endpoint] = min(all.next[endpoint], now + RESERVED_MAX + interval)

-- How many permits all windows hold, by their first cell; built only where the limit may be near.
local cells, windows = { string.byte(all.cells, 1, CELLS) }, nil
all.cells_end = roll(cells, all.cells_end, floor((now + RESERVED_MAX) / CELL) + 1)
local function cell(i)
  if i > all.cells_end or i <= all.cells_end - CELLS then return 0 end
  return cells[i % CELLS + 1]
end
local function build_windows()
  windows = {}
  local first, total = all.cells_end - CELLS + 1, 0
  for i = first, first + WINDOW - 1 do total = total + cell(i) end
  for i = first, all.cells_end do
    windows[i] = total
    total = total + cell(i + WINDOW) - cell(i)
  end
end

-- The first moment from `from` on at which neither its cell nor any window is full; nil if that is after `last`.
local function room(from, last)
  local at = (from - from % CELL) / CELL
  if not windows and from <= last and cells[at % CELLS + 1] < CELL_MAX then return from, from end
  while at * CELL <= last do
    local full = nil
    for i = at, windows and at - WINDOW + 1 or at + 1, -1 do
      if (windows[i] or 0) >= limit then
        full = i
        break
      end
    end
    if full then
      at = full + WINDOW
    elseif cell(at) >= CELL_MAX then
      at = at + 1
    else
      break
    end
  end
  from = max(from, at * CELL)
  return from <= last and from or nil, from
end

local function book(at, probe)
  local i = (at - at % CELL) / CELL
  local place = i % CELLS + 1
  cells[place] = cells[place] + 1
  if windows then
    for first = i - WINDOW + 1, i do windows[first] = (windows[first] or 0) + 1 end
  end
  if probe then
    group.probe_until = at + LEASE
  else
    local slot = (at - at % QUARTER) / QUARTER % QUARTERS + 1
    group.sent[slot] = group.sent[slot] + 1
    group.unreported = group.unreported + 1
  end
end

local denial, retry_after, probe, allowed = 0, 0, false, wanted
if group.mode == OPEN then
  denial, retry_after, allowed = BREAKER, group.open_until - now, 0
elseif group.mode == HALF_OPEN and (retry or now < group.probe_until) then
  denial, retry_after, allowed = BREAKER, max(QUARTER, min(SECOND / 2, group.probe_until - now)), 0
elseif group.mode == HALF_OPEN then
  denial, retry_after, probe, allowed = BREAKER, QUARTER, true, min(1, wanted)
elseif retry and all.tokens < 10 then
  denial, retry_after, allowed = BUDGET, SECOND, 0
end

-- After a 429 for concurrency: no more unreported permits than the provider seems to bear.
local crowd = group.crowd and risen(group.crowd) < 1000 and group.crowd
if crowd then
  local most = max(1, floor(crowd.size * risen(crowd) / 1000))
  local free = max(0, most - group.unreported - group.unreported_before)
  if free < allowed then denial, retry_after, allowed = RATE, QUARTER, free end
end

local waits, slot, last = {}, max(all.next[endpoint], now - tolerance), now + most_wait
if sum(cells) + allowed > limit then build_windows() end
while #waits < allowed do
  local from = max(slot, now)
  local at, free = room(from, last)
  if not at then
    denial, retry_after = RATE, max(CELL, free - last)
    break
  end
  book(at, probe)
  slot = (at > from and at or slot) + interval
  waits[#waits + 1] = ceil(at - now)
end
if #waits > 0 then all.next[endpoint] = slot end
if retry then all.tokens = all.tokens - 10 * #waits end

-- The places that the next second still has, behind what is reserved already. Not the rate less what was sent lately:
-- whoever publishes what is left would then find its own work missing from the second after, and use half of the rate.
local left = max(0, floor((SECOND - max(0, all.next[endpoint] - now)) / interval))
if group.mode == OPEN then
  left = 0
elseif group.mode == HALF_OPEN then
  left = now < group.probe_until and 0 or 1
end

all.cells = string.char(unpack(cells))
save()
local answer = {
  denial, ceil(retry_after), probe and #waits or 0, now < all.mixed_until and 1 or 0,
  max(0, ceil(all.next[endpoint] - now)), all.born, left,
}
for i = 1, #waits do answer[#answer + 1] = waits[i] end
return answer
