-- Takes the reports of one batch and step: for the breaker, the retry budget, and the limits that a 429 lowers.
-- ARGV: 1 endpoint 1 … 5; 2 a random number in 0 … 1000; 3 how many kinds of reports; then for each: its verdict
-- (0 neutral, 1 success, 2 provider fault, 3 429 for the global rate, 4 for the endpoint's rate, 5 for concurrency), 1
-- if it was a probe, how long the attempts took, and how many they were. Returns the breaker's mode: 0 closed, 1 open,
-- 2 half-open.

local endpoint, random, kinds = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local SUCCESS, FAULT, GLOBAL_RATE, ENDPOINT_RATE, CONCURRENCY = 1, 2, 3, 4, 5
local ALL_ENDPOINTS = 'all'
local WINS, TOKENS_MAX = 3, 500

-- 0.7 times as much, at most once in five seconds: one burst of 429 is one event. Never below a tenth.
local PAUSE, LEAST = 5 * SECOND, 100
local function lower(lowered)
  if lowered and now - lowered.hit < PAUSE then return lowered end
  return { level = max(LEAST, floor(risen(lowered) * 7 / 10)), hit = now, size = lowered and lowered.size }
end

local function slow(what)
  all.slowed[what] = lower(all.slowed[what])
end

-- What was under way when the provider complained is what the level is of, until that has risen to all of it again.
local function thin_out()
  local size = max(1, group.unreported + group.unreported_before)
  if group.crowd and risen(group.crowd) < 1000 then size = group.crowd.size end
  group.crowd = lower(group.crowd)
  group.crowd.size = size
end

local function close()
  group.mode, group.opens, group.closed_at, group.last_ok = CLOSED, 0, now, now
  forget()
end

-- One probe's outcome. Whatever it was, the next one may follow at once.
local function weigh_probe(verdict)
  if group.mode ~= HALF_OPEN then return end
  group.probe_until = 0
  if verdict == SUCCESS then
    group.wins = group.wins + 1
    if group.wins >= WINS then close() end
  elseif verdict == FAULT then
    open(random)
  end
end

local function count(verdict, began, reports)
  -- Sent before the breaker last opened or closed: that has been judged.
  if began < group.since then return end
  if began >= (epoch - 1) * EPOCH then
    -- From the newest on: what was reserved in one epoch may be sent in the next.
    local before = max(0, reports - group.unreported)
    group.unreported = max(0, group.unreported - reports)
    group.unreported_before = max(0, group.unreported_before - before)
  end
  if group.mode ~= CLOSED then return end
  if verdict == SUCCESS then group.ok, group.faults = group.ok + reports, 0 end
  if verdict == FAULT then group.bad, group.faults = group.bad + reports, group.faults + reports end
end

judge(random)
for i = 4, 4 * kinds, 4 do
  local verdict, probe = tonumber(ARGV[i]), ARGV[i + 1] == '1'
  local began, reports = now - tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  if verdict == CONCURRENCY then thin_out() end
  if probe then weigh_probe(verdict) else count(verdict, began, reports) end
  if verdict == SUCCESS then
    all.tokens = min(TOKENS_MAX, all.tokens + reports)
    group.last_ok = now
  end
  if verdict == GLOBAL_RATE then slow(ALL_ENDPOINTS) end
  if verdict == ENDPOINT_RATE then slow(endpoint) end
end
judge(random)

save()
return group.mode
