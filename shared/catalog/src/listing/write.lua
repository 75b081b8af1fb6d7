-- Writes the listing, unless Redis has one that was read later. KEYS[1] is its key; ARGV[1] the new text, which begins
-- with the time of reading; ARGV[2] the time to live in ms; ARGV[3] '1' to replace whatever is there. Returns 1 if it
-- was written, else 0.

-- Compared as digits: Lua's numbers are doubles.
local function later(a, b)
  return #a > #b or (#a == #b and a > b)
end

local stored = redis.pcall('GET', KEYS[1])
if ARGV[3] ~= '1' and type(stored) == 'string' then
  local stored_at = string.match(stored, '^(%d+) ')
  if stored_at ~= nil and later(stored_at, string.match(ARGV[1], '^(%d+) ')) then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
